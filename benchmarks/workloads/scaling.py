"""Cost against size: clients, workers, metrics of a request, runs in the database. One workload per size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload
from benchmarks.seeding import DENSE, run_id, seed_bare_runs, seed_runs
from benchmarks.workloads import log_metric
from benchmarks.workloads.reading import check_runs, read_workload, search_body
from benchmarks.workloads.writing import metric_workload, metrics_body

CLIENTS = (1, 4, 16, 64, 256)
WORKERS = (1, 2, 4)
BATCHES = (1, 10, 100, 1000)
RUNS = (1_000, 10_000, 100_000, 1_000_000)
SEARCHED = 1000
"""Runs of the experiment that is searched; all others are of another one."""


def _clients(count: int) -> LoadWorkload:
    return replace(
        log_metric.WORKLOAD,
        name=f"clients_{count}",
        title=f"log-metric, {count} clients",
        connections=count,
        quick=False,
    )


def _workers(count: int) -> LoadWorkload:
    return replace(
        log_metric.WORKLOAD,
        name=f"workers_{count}",
        title=f"log-metric, {count} workers",
        workers=count,
        quick=False,
    )


def _batch(size: int) -> LoadWorkload:
    request = Template("POST", f"{API}/runs/log-batch", metrics_body(keys=size))
    return metric_workload(f"batch_{size}", f"log-batch of {size} metrics", request, size)


def _filled(runs: int) -> Callable[[Client, Database, int], Data]:
    def fill(client: Client, database: Database, clients: int) -> Data:
        searched, others = client.create_experiment("searched"), client.create_experiment("others")
        seed_runs(database, int(searched), SEARCHED, DENSE)
        if runs > SEARCHED:
            seed_bare_runs(database, int(others), runs - SEARCHED, first=SEARCHED + 1)
        return Data([run_id(1)] * clients, {"experiment": searched})

    return fill


def _runs(count: int) -> LoadWorkload:
    numbers = range(SEARCHED, SEARCHED - 100, -1)
    return read_workload(
        f"runs_{count}",
        f"runs/search, the first 100 runs of an experiment, {count:,} runs in the database",
        Template("POST", f"{API}/runs/search", search_body(100)),
        lambda answer: check_runs(answer["runs"], numbers, DENSE),
        fill=_filled(count),
        connections=4,
    )


@dataclass(frozen=True)
class Family:
    """Workloads that differ in one size; their names are ``name_size``."""

    name: str
    title: str
    sizes: tuple[int, ...]
    make: Callable[[int], LoadWorkload]
    units: bool = False
    """Whether a request does as many units of work as its size says."""


FAMILIES = (
    Family("clients", "log-metric: CPU ms per request, clients", CLIENTS, _clients),
    Family("batch", "log-batch: CPU ms per metric, metrics of a request", BATCHES, _batch, units=True),
    Family("runs", "first page of 100 runs: CPU ms, runs in the database", RUNS, _runs),
    Family("workers", "log-metric: CPU ms per request, workers", WORKERS, _workers),
)
WORKLOADS = tuple(family.make(size) for family in FAMILIES for size in family.sizes)
