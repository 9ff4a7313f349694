"""The memory of a server's whole process tree: idle, after a few thousand requests, and with all that it starts."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

from benchmarks.alone import AloneWorkload
from benchmarks.bench import Bench
from benchmarks.client import API, Client
from benchmarks.databases import POSTGRESQL, Database
from benchmarks.failures import FAILURES
from benchmarks.kinds import BASELINE, Kind
from benchmarks.load import Template
from benchmarks.results import Figure, ServerResult
from benchmarks.seeding import DENSE, seed_runs
from benchmarks.servers import Server
from benchmarks.workloads import log_metric

CLIENTS = 16
MEBIBYTE = 2**20

FIGURES = [
    Figure("workers", "workers", digits=0),
    Figure("processes", "processes", digits=0),
    Figure("idle", "idle PSS, MiB", compared=True, digits=0),
    Figure("loaded", "PSS after load, MiB", compared=True, digits=0),
    Figure("loaded_processes", "processes after load", digits=0),
    Figure("fastapi", "PSS after a route that only FastAPI has, MiB", compared=True, digits=0),
]


def _measure(bench: Bench, kind: Kind, row: ServerResult) -> dict[str, float]:
    # The baseline has two workers, the others four: they are to need less although they have more.
    workers = 2 if kind.name == BASELINE else 4
    databases = bench.databases(POSTGRESQL)
    with databases.with_schema(kind.name) as database, bench.running(kind, database, workers) as server:
        server.wait_until_settled()
        idle, processes = server.pss_bytes(), len(server.tree())
        _load(server, database, requests=1_000 if bench.quick else 4_000)
        server.wait_until_settled()
        loaded, loaded_processes = server.pss_bytes(), len(server.tree())
        # Ours starts upstream's FastAPI server for it; a server that does not know it answers 404.
        with Client(server.port) as client:
            client.ask("GET", "/gateway/mlflow/v1/models")
        server.wait_until_settled()
        fastapi = server.pss_bytes()
    return {
        "workers": float(workers),
        "processes": float(processes),
        "idle": idle / MEBIBYTE,
        "loaded": loaded / MEBIBYTE,
        "loaded_processes": float(loaded_processes),
        "fastapi": fastapi / MEBIBYTE,
    }


def _load(server: Server, database: Database, requests: int) -> None:
    """Send ``requests`` requests, of four sorts in turn, over ``CLIENTS`` connections."""
    with Client(server.port) as client:
        experiment = client.create_experiment("bench")
        runs = client.create_runs(experiment, CLIENTS)
    seed_runs(database, int(experiment), 100, DENSE)
    search = {
        "experiment_ids": [experiment],
        "run_view_type": "ACTIVE_ONLY",
        "filter": "",
        "max_results": 100,
    }
    sorts = [
        log_metric.WORKLOAD.request,
        Template("POST", f"{API}/runs/search", json.dumps(search)),
        Template("POST", f"{API}/experiments/search", '{"max_results": 1000, "view_type": "ACTIVE_ONLY"}'),
        Template("GET", "/"),
    ]
    failures: list[BaseException] = []
    threads = [
        threading.Thread(target=_client, args=(server.port, sorts, run, requests // CLIENTS, failures))
        for run in runs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _client(
    port: int, sorts: Sequence[Template], run: str, requests: int, failures: list[BaseException]
) -> None:
    try:
        with Client(port) as client:
            for number in range(requests):
                method, path, body = sorts[number % len(sorts)].filled(run, number)
                client.send(method, path, body)
    except FAILURES as ex:
        failures.append(ex)


# One server at a time: pages that two servers share would count for half in each.
WORKLOAD = AloneWorkload(
    "memory",
    "memory of the process tree (PSS): idle, and after log-metric, searches of runs and experiments, UI",
    FIGURES,
    _measure,
    quick=True,
)
