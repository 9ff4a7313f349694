"""What the workloads that read share: one filled database for all of them, and what it must answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.failures import CheckFailed
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload
from benchmarks.seeding import DENSE, Shape, run_id, seed_histories, seed_runs
from benchmarks.workloads.writing import expect

EXPERIMENTS = 50
RUNS = 1000
"""Runs of the experiment that is searched, each with 10 metrics, 10 params and 3 tags."""
POINTS = 10_000
HISTORIES = range(RUNS + 1, RUNS + 11)
"""Numbers of the runs with a history of so many points."""
WIDE = Shape(metrics=300, params=150, tags=50)
"""A fifth of the metrics of G-Research's runs, and all of their params and tags."""
WIDE_RUNS = 100
WIDE_FIRST = HISTORIES[-1] + 1


def fill(client: Client, database: Database, clients: int) -> Data:
    """Make 50 experiments: one of plain runs, one of runs with a history, one of wide runs, others."""
    ids = [client.create_experiment(f"experiment-{i}") for i in range(EXPERIMENTS - 2)]
    seed_runs(database, int(ids[0]), RUNS, DENSE)
    seed_runs(database, int(ids[1]), len(HISTORIES), Shape(1, 1, 1), first=HISTORIES[0])
    seed_histories(database, HISTORIES[0], len(HISTORIES), POINTS)
    wide = client.create_experiment("wide")
    seed_runs(database, int(wide), WIDE_RUNS, WIDE, first=WIDE_FIRST)
    return Data([run_id(i) for i in range(1, RUNS + 1)], {"experiment": ids[0], "wide": wide})


def read_workload(
    name: str,
    title: str,
    request: Template,
    check: Callable[[Mapping[str, Any]], None],
    *,
    fill: Callable[[Client, Database, int], Data] = fill,
    connections: int = 20,
    quick: bool = False,
) -> LoadWorkload:
    """A workload whose answer, decoded, ``check`` finds right or raises ``CheckFailed``."""

    def ask(client: Client, database: Database, request: Template, data: Data) -> None:
        check(json.loads(client.send(*request.filled(data.runs[0], 1))))

    return LoadWorkload(
        name, title, request, fill=fill, check=ask, reads=True, connections=connections, quick=quick
    )


def search_body(
    max_results: int, filter_string: str = "", order_by: Sequence[str] = (), experiment: str = "@experiment@"
) -> str:
    """Return the mlflow client's body of a runs/search."""
    body = {
        "experiment_ids": [experiment],
        "run_view_type": "ACTIVE_ONLY",
        "filter": filter_string,
        "max_results": max_results,
        **({"order_by": list(order_by)} if order_by else {}),
    }
    return json.dumps(body)


def search_workload(
    name: str,
    title: str,
    body: str,
    numbers: Sequence[int],
    shape: Shape = DENSE,
    *,
    connections: int,
    quick: bool = False,
) -> LoadWorkload:
    """A runs/search that must answer the seeded runs of these ``numbers``, in this order."""

    def check(answer: Mapping[str, Any]) -> None:
        check_runs(answer.get("runs", []), numbers, shape)

    request = Template("POST", f"{API}/runs/search", body)
    return read_workload(name, title, request, check, connections=connections, quick=quick)


def check_runs(runs: Sequence[Mapping[str, Any]], numbers: Sequence[int], shape: Shape) -> None:
    """Raise ``CheckFailed`` unless these are the seeded runs of ``numbers``, in order and with all they hold."""
    expect("the runs found", [run["info"]["run_id"] for run in runs], [run_id(i) for i in numbers])
    for run, number in zip(runs, numbers, strict=True):
        check_run(run, number, shape)


def check_run(run: Mapping[str, Any], number: int, shape: Shape) -> None:
    """Raise ``CheckFailed`` unless this is the seeded run of this number; peers write int64 as strings."""
    info, data = run["info"], run["data"]
    found = (info["run_id"], info["status"], int(info["start_time"]), int(info["end_time"]))
    expect("a run", found, (run_id(number), "FINISHED", 1700000000000 + number, 1700000060000 + number))
    metrics = {metric["key"]: metric for metric in data["metrics"]}
    expect("a run's metrics", metrics.keys(), {f"metric_{k}" for k in range(1, shape.metrics + 1)})
    for k in range(1, shape.metrics + 1):
        metric = metrics[f"metric_{k}"]
        expect(
            "a metric's step and time",
            (int(metric["step"]), int(metric["timestamp"])),
            (1, 1700000000000 + number),
        )
        if not math.isclose(metric["value"], number * 0.001 + k):
            raise CheckFailed(f"a metric is {metric['value']}, expected was {number * 0.001 + k}")
    for key, count in (("param", shape.params), ("tag", shape.tags)):
        values = {item["key"]: item["value"] for item in data[f"{key}s"]}
        wanted = {f"{key}_{k}": f"value {k} of run {number}" for k in range(1, count + 1)}
        # A server may add tags of its own.
        expect(f"a run's {key}s", {name: values.get(name) for name in wanted}, wanted)
