"""The workloads, in the order in which they run and are reported."""

from __future__ import annotations

from benchmarks.bench import Workload
from benchmarks.workloads import health, log_batch_10, log_batch_100, log_metric, memory, startup

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        startup.WORKLOAD,
        memory.WORKLOAD,
        log_metric.WORKLOAD,
        log_batch_10.WORKLOAD,
        log_batch_100.WORKLOAD,
        health.WORKLOAD,
    )
}
"""By name."""
