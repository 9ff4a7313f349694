"""The workloads, in the order in which they run and are reported."""

from __future__ import annotations

from benchmarks.bench import Workload
from benchmarks.workloads import (
    artifacts_local,
    artifacts_s3,
    experiments_search,
    floor,
    gateway,
    health,
    history_interval,
    log_batch_10,
    log_batch_100,
    log_batch_1000,
    log_metric,
    log_params_10,
    log_params_10_again,
    log_params_100_again,
    memory,
    metric_history,
    mixed,
    otlp_10,
    published,
    runs_create,
    runs_get,
    runs_search_100,
    runs_search_1000,
    runs_search_filtered,
    runs_search_wide,
    runs_update,
    scaling,
    set_tag,
    startup,
)

GROUPS: dict[str, tuple[Workload, ...]] = {
    "writes": (
        runs_create.WORKLOAD,
        log_metric.WORKLOAD,
        log_batch_10.WORKLOAD,
        log_batch_100.WORKLOAD,
        log_batch_1000.WORKLOAD,
        log_params_10_again.WORKLOAD,
        log_params_100_again.WORKLOAD,
        set_tag.WORKLOAD,
        log_params_10.WORKLOAD,
        runs_update.WORKLOAD,
    ),
    "reads": (
        runs_get.WORKLOAD,
        runs_search_100.WORKLOAD,
        runs_search_1000.WORKLOAD,
        runs_search_filtered.WORKLOAD,
        experiments_search.WORKLOAD,
        metric_history.WORKLOAD,
        history_interval.WORKLOAD,
        runs_search_wide.WORKLOAD,
    ),
    "operation": (
        startup.WORKLOAD,
        memory.WORKLOAD,
        health.WORKLOAD,
        floor.WORKLOAD,
        mixed.WORKLOAD,
        gateway.WORKLOAD,
    ),
    "artifacts": (artifacts_local.WORKLOAD, artifacts_s3.WORKLOAD),
    "traces": (otlp_10.WORKLOAD,),
    "published": published.WORKLOADS,
    "scaling": scaling.WORKLOADS,
}
"""By name of the group; a group can be asked for as a whole."""
WORKLOADS: dict[str, Workload] = {workload.name: workload for group in GROUPS.values() for workload in group}
"""By name."""
