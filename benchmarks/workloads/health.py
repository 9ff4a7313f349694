"""Whether a server answers ``/health`` while it writes, waits for a slow query, or computes a big answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from benchmarks import stats
from benchmarks.alone import AloneWorkload
from benchmarks.bench import Bench
from benchmarks.client import API, Client
from benchmarks.databases import POSTGRESQL, Database
from benchmarks.failures import CheckFailed
from benchmarks.kinds import Kind
from benchmarks.load import Load
from benchmarks.results import Figure, ServerResult
from benchmarks.sampler import Sample, Sampler
from benchmarks.seeding import DENSE, seed_runs
from benchmarks.servers import Server
from benchmarks.workloads import log_metric

WORKERS = 2
WRITERS = 50
INTERVAL = 0.02
QUIET_SECONDS = 3
QUERY_SECONDS = 5
LOAD_SECONDS = QUERY_SECONDS + 3
RUNS = 1000

PHASES = {
    "quiet": "quiet",
    "writes": f"{WRITERS} writers",
    "query": f"{WRITERS} writers and a query of {QUERY_SECONDS} s",
    "search": f"a search of {RUNS} runs",
}
FIGURES = [
    *(
        Figure(f"{phase}_{key}", f"{title}: {word} ms", compared=key == "p99")
        for phase, title in PHASES.items()
        for key, word in (("p50", "p50"), ("p99", "p99"), ("max", "max"))
    ),
    Figure("search_seconds", "that search, s", digits=2),
    Figure("unanswered", "not answered 200", digits=0),
]


def _measure(bench: Bench, kind: Kind, row: ServerResult) -> dict[str, float]:
    databases = bench.databases(POSTGRESQL)
    samples: dict[str, list[Sample]] = {}
    with databases.with_schema(kind.name) as database, bench.running(kind, database, WORKERS) as server:
        with Client(server.port) as client:
            experiment = client.create_experiment("bench")
            runs = client.create_runs(experiment, WRITERS)
            dense = client.create_experiment("dense")
        seed_runs(database, int(dense), RUNS, DENSE)
        server.wait_until_settled()
        samples["quiet"] = _during(server, lambda: time.sleep(QUIET_SECONDS))
        with _writing(server, runs, row, first_step=1) as wait:
            samples["writes"] = _during(server, wait)
        if database.is_postgresql:
            with _writing(server, runs, row, first_step=LOAD_SECONDS * 1_000_000):
                time.sleep(1)
                samples["query"] = _during(server, lambda: _slow_query(server, database))
        else:
            row.note(
                "SQLite: no query can be held up without holding up all writes, so that phase is left out"
            )
        figures: dict[str, float] = {}
        samples["search"] = _during(server, lambda: figures.update(search_seconds=_search(server, dense)))
    for phase, seen in samples.items():
        milliseconds = [sample.seconds * 1000 for sample in seen]
        for key, percent in (("p50", 50), ("p99", 99), ("max", 100)):
            figures[f"{phase}_{key}"] = stats.percentile(milliseconds, percent)
        figures[f"{phase}_samples"] = float(len(milliseconds))
    figures["unanswered"] = float(sum(sample.status != 200 for seen in samples.values() for sample in seen))
    return figures


def _during(server: Server, work: Callable[[], object]) -> list[Sample]:
    """Return the samples of ``/health`` that began while ``work`` ran."""
    sampler = Sampler(server.port, "/health", INTERVAL)
    start = time.monotonic()
    try:
        work()
        end = time.monotonic()
    finally:
        samples = sampler.stop()
    return [sample for sample in samples if start <= sample.start <= end]


@contextmanager
def _writing(
    server: Server, runs: list[str], row: ServerResult, first_step: int
) -> Iterator[Callable[[], object]]:
    """Writers for ``LOAD_SECONDS``; gives a function that waits for their end."""
    load = Load(server.port, log_metric.WORKLOAD.request, runs, LOAD_SECONDS, first_step)
    over = threading.Event()

    def wait() -> None:
        over.set()
        seen = load.wait()
        if seen.failed:
            row.note(f"{seen.failed} of {seen.answered + sum(seen.broken.values())} writes failed")

    try:
        yield wait
        if not over.is_set():
            wait()
    except BaseException:
        load.stop()
        raise


def _slow_query(server: Server, database: Database) -> None:
    """Have the server wait ``QUERY_SECONDS`` inside one SQL query: it reads a table that is locked here."""
    took: list[float] = []

    def ask() -> None:
        with Client(server.port) as client:
            start = time.monotonic()
            client.send("GET", f"{API}/registered-models/search?max_results=100")
            took.append(time.monotonic() - start)

    request = threading.Thread(target=ask)
    with database.engine.begin() as connection:
        connection.execute(sa.text("LOCK TABLE registered_models IN ACCESS EXCLUSIVE MODE"))
        request.start()
        time.sleep(QUERY_SECONDS)
    request.join()
    if not took or took[0] < QUERY_SECONDS - 0.5:
        raise CheckFailed(f"the request that was to wait {QUERY_SECONDS} s took {took or 'no answer'}")


def _search(server: Server, experiment: str) -> float:
    """Search with a field that the API does not know, which upstream ignores and no fast path takes.

    Returns the seconds until the answer was there.
    """
    fields = {
        "experiment_ids": [experiment],
        "run_view_type": "ACTIVE_ONLY",
        "filter": "",
        "max_results": RUNS,
    }
    start = time.monotonic()
    with Client(server.port) as client:
        answer = client.post("/runs/search", **fields, unknown_field=True)
    if len(answer.get("runs", [])) != RUNS:
        raise CheckFailed(f"runs/search answered {len(answer.get('runs', []))} of {RUNS} runs")
    return time.monotonic() - start


# /health is asked by a process of its own, on a new connection every INTERVAL seconds.
WORKLOAD = AloneWorkload("health", f"/health of {WORKERS} workers, ms", FIGURES, _measure)
