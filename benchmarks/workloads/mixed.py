"""A team's hour in a minute: trainers log, a sweep makes runs, the UI polls its pages, all at once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.alone import AloneWorkload
from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.databases import POSTGRESQL
from benchmarks.fleet import STEPS_PER_TURN
from benchmarks.kinds import Kind
from benchmarks.load import Load
from benchmarks.results import Figure, ServerResult
from benchmarks.rounds import MEBIBYTE, LoadWorkload
from benchmarks.workloads import (
    experiments_search,
    log_batch_10,
    log_metric,
    metric_history,
    runs_create,
    runs_search_100,
    runs_update,
    writing,
)
from benchmarks.workloads.reading import fill

WORKERS = 2


@dataclass(frozen=True)
class Part:
    """Clients that all send the same request, as fast as it is answered."""

    name: str
    workload: LoadWorkload
    clients: int


PARTS = (
    Part("log-metric", log_metric.WORKLOAD, 6),
    Part("log-batch of 10", log_batch_10.WORKLOAD, 4),
    Part("create", runs_create.WORKLOAD, 1),
    Part("update", runs_update.WORKLOAD, 1),
    Part("search of 100 runs", runs_search_100.WORKLOAD, 1),
    Part("search of experiments", experiments_search.WORKLOAD, 1),
    Part("history", metric_history.WORKLOAD, 1),
)
FIGURES = [
    *(
        Figure(f"{part.workload.name}_{key}", f"{part.name}: {word}", key == "rate", key == "rate", digits)
        for part in PARTS
        for key, word, digits in (("rate", "req/s", 1), ("p50", "p50 ms", 1), ("p99", "p99 ms", 1))
    ),
    Figure("cores", "server's cores in use", digits=2),
    Figure("pss", "PSS at the end, MiB", digits=0),
    Figure("errors", "errors", digits=0),
]


def _measure(bench: Bench, kind: Kind, row: ServerResult) -> dict[str, float]:
    seconds = 4 * bench.turn_seconds()
    with (
        bench.databases(POSTGRESQL).with_schema(kind.name) as database,
        bench.running(kind, database, WORKERS) as server,
    ):
        with Client(server.port) as client:
            ids = fill(client, database, 0).ids
            written = writing.fill_runs(client, database, max(part.clients for part in PARTS))
        database.settle()
        server.wait_until_settled()
        used = server.cpu_seconds()
        with ExitStack() as loads:
            running = []
            for number, part in enumerate(PARTS, 1):
                request = part.workload.request.about(ids)
                steps = number * STEPS_PER_TURN
                load = Load(server.port, request, written.runs[: part.clients], seconds, steps)
                loads.callback(load.stop)
                running.append(load)
            seen = [load.wait() for load in running]
        used = server.cpu_seconds() - used
        figures = {"cores": used / seconds, "pss": server.pss_bytes() / MEBIBYTE}
    for part, result in zip(PARTS, seen, strict=True):
        name = part.workload.name
        figures |= {f"{name}_rate": result.rate}
        if result.answered:
            figures |= {f"{name}_p50": result.p50, f"{name}_p99": result.p99}
        for status, count in result.statuses.items():
            if status != 200:
                row.errors[str(status)] = row.errors.get(str(status), 0) + count
    return {**figures, "errors": float(sum(result.failed for result in seen))}


WORKLOAD = AloneWorkload(
    "mixed",
    "trainers, a sweep and the UI at once, 15 clients",
    FIGURES,
    _measure,
)
