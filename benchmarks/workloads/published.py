"""The peers' own published workloads, as their scripts send them, for the figures that they quote.

mlflow-go: benchmarks/*.js of its repository, ``k6 -u 20``: all clients write to one run. What is random there, or the
time, is a number here. Of FastTrackML's logging script the batches; its retrieval script filters by what upstream
refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload, Rows
from benchmarks.seeding import Shape, run_id, seed_runs
from benchmarks.workloads.reading import read_workload
from benchmarks.workloads.writing import check_params, expect, fill_runs, sent_once, verify_latest

SEARCHED = 23_525
"""Runs of the experiment that mlflow-go searches."""
PAGE = 1000


def fill_one_run(client: Client, database: Database, clients: int) -> Data:
    """Make one run for all clients."""
    data = fill_runs(client, database, 1)
    return Data([data.runs[0]] * clients, data.ids)


def fill_many_runs(client: Client, database: Database, clients: int) -> Data:
    """Make an experiment like that of mlflow-go: runs with two tags, nothing else."""
    experiment = client.create_experiment("bench")
    seed_runs(database, int(experiment), SEARCHED, Shape(metrics=0, params=0, tags=2))
    return Data([run_id(1)] * clients, {"experiment": experiment})


def _batch(metrics: str = "", params: str = "") -> str:
    return f'{{"run_id": "@run@", "tags": [], "params": [{params}], "metrics": [{metrics}]}}'


def _go_metrics(count: int) -> str:
    return ", ".join(
        f'{{"key": "metric_{i}", "value": {i}.5@step@, "timestamp": 1700@step@, "step": 0}}'
        for i in range(count)
    )


def _go_params(count: int) -> str:
    return ", ".join(f'{{"key": "param_{i}", "value": "param_value_{i}"}}' for i in range(count))


def _fasttrackml_metrics(count: int) -> str:
    return ", ".join(
        f'{{"key": "metric{i}", "value": {i}.5@step@, "timestamp": 1700000000000, "step": @step@{step}}}'
        for i in range(1, count + 1)
        for step in range(1, 5)
    )


def _check_count(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one request; all its metrics must be there."""
    sent, _ = sent_once(client, request, data.runs[0])
    found = database.number("SELECT count(*) FROM metrics WHERE run_uuid = :run", run=data.runs[0])
    expect("the number of metrics", found, len(sent["metrics"]))


def _check_created(client: Client, database: Database, request: Template, data: Data) -> None:
    _, answer = sent_once(client, request, data.runs[0])
    found = database.number(
        "SELECT count(*) FROM runs WHERE run_uuid = :run", run=answer["run"]["info"]["run_id"]
    )
    expect("the number of runs", found, 1)


def _check_page(answer: Mapping[str, Any]) -> None:
    expect("the number of runs", len(answer["runs"]), PAGE)


def _go_params_again(count: int) -> LoadWorkload:
    return LoadWorkload(
        f"go_log_params_{count}",
        f"mlflow-go's LogParamBatch{count}: the same {count} params, 20 clients, one run",
        Template("POST", f"{API}/runs/log-batch", _batch(params=_go_params(count))),
        fill=fill_one_run,
        check=check_params,
    )


def _fasttrackml_batch(count: int) -> LoadWorkload:
    return LoadWorkload(
        f"fml_log_metrics_{count}",
        f"FastTrackML's LogMetricOnlyBatch{count}: {count} keys x 4 steps, 20 clients, a run each",
        Template(
            "POST",
            f"{API}/runs/log-batch",
            f'{{"run_id": "@run@", "metrics": [{_fasttrackml_metrics(count)}]}}',
        ),
        fill=fill_runs,
        check=_check_count,
        rows=Rows("metrics", 4 * count),
        verify=verify_latest,
    )


WORKLOADS = (
    LoadWorkload(
        "go_log_metrics_10",
        "mlflow-go's LogMetricBatch10: 10 metrics of one step, 20 clients, one run",
        Template("POST", f"{API}/runs/log-batch", _batch(metrics=_go_metrics(10))),
        fill=fill_one_run,
        check=_check_count,
        rows=Rows("metrics", 10),
    ),
    _go_params_again(10),
    _go_params_again(100),
    LoadWorkload(
        "go_create_run",
        "mlflow-go's CreateRun: one tag, no name, 20 clients, one experiment",
        Template(
            "POST",
            f"{API}/runs/create",
            '{"experiment_id": "@experiment@", "start_time": 1700@step@, '
            '"tags": [{"key": "mlflow.user", "value": "k6"}]}',
        ),
        fill=fill_one_run,
        check=_check_created,
        rows=Rows("runs", 1),
    ),
    read_workload(
        "go_search_runs",
        "mlflow-go's SearchRuns: 1000 of 23,525 runs with 2 tags each, 4 clients",
        Template(
            "POST", f"{API}/runs/search", f'{{"experiment_ids": ["@experiment@"], "max_results": {PAGE}}}'
        ),
        _check_page,
        fill=fill_many_runs,
        connections=4,
    ),
    read_workload(
        "go_search_experiments",
        "mlflow-go's SearchExperiments: 20 clients",
        Template("POST", f"{API}/experiments/search", '{"max_results": 1000}'),
        lambda answer: expect("whether there are experiments", bool(answer["experiments"]), True),
        fill=fill_many_runs,
    ),
    _fasttrackml_batch(10),
    _fasttrackml_batch(100),
)
"""Metrics of step 0 have no latest one by step: those of mlflow-go are counted only."""
