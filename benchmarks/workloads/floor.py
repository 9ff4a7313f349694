"""The floor: what HTTP and the database take by themselves, without anything that a tracking server does.

* A WSGI application that answers ``{}``, under the gunicorn worker of mlflow-accel, to the body of a log-metric.
* A bare loop over ready-made arrays, one connection: the run, the history, the latest values, COMMIT.
* The bare queries of a run and of a page of runs, their results left as the bytes that PostgreSQL sent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg

from benchmarks.bench import Bench
from benchmarks.databases import POSTGRESQL, Databases
from benchmarks.failures import FAILURES, reason
from benchmarks.kinds import OURS, Kind, Options
from benchmarks.load import Load
from benchmarks.results import Figure, ServerResult, WorkloadResult
from benchmarks.seeding import DENSE, run_id, seed_runs
from benchmarks.servers import REPOSITORY, running
from benchmarks.workloads import log_metric

CONNECTIONS = 20
_numbers = count(1)
"""Steps: no two transactions write the same row."""
SIZES = (1, 10, 100, 1000)
PAGES = (1, 100, 1000)

_RUN = "SELECT run_uuid FROM runs WHERE run_uuid = ANY(%s) AND lifecycle_stage = 'active'"
_VALUES = (
    "(run_uuid, key, value, timestamp, step, is_nan) SELECT * FROM "
    "unnest(%s::text[], %s::text[], %s::float8[], %s::int8[], %s::int8[], %s::bool[])"
)
_HISTORY = f"INSERT INTO metrics {_VALUES}"
_LATEST = (
    f"INSERT INTO latest_metrics AS l {_VALUES} ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, "
    "timestamp = excluded.timestamp, step = excluded.step WHERE excluded.step > l.step"
)
_PAGE = (
    "SELECT * FROM runs WHERE run_uuid = ANY(%s)",
    "SELECT * FROM latest_metrics WHERE run_uuid = ANY(%s)",
    "SELECT * FROM params WHERE run_uuid = ANY(%s)",
    "SELECT * FROM tags WHERE run_uuid = ANY(%s)",
)


def _trivial(options: Options) -> list[str]:
    worker = "mlflow_accel.server.gevent_worker.Worker"
    address = f"127.0.0.1:{options.port}"
    application = "benchmarks.workloads.trivial:application"
    return [
        *(sys.executable, "-m", "gunicorn", "--worker-class", worker, "--workers", str(options.workers)),
        *("--bind", address, "--pythonpath", str(REPOSITORY), "--reuse-port", application),
    ]


TRIVIAL = Kind("floor", "trivial WSGI app", "none", _trivial)

FIGURES = [
    Figure("http_rate", "HTTP: req/s", digits=0),
    Figure("http_cpu", "HTTP: CPU ms/req", digits=3),
    *(
        Figure(f"{name}_{key}", f"{title}: {word}", digits=digits)
        for name, title in (
            *((f"write_{size}", f"transaction of {size} metrics") for size in SIZES),
            *((f"read_{page}", f"query of {page} runs") for page in PAGES),
        )
        for key, word, digits in (
            ("rate", "per s", 0),
            ("cpu", "client's CPU ms", 3),
            ("db", "PostgreSQL's CPU ms", 3),
        )
    ),
]


@dataclass(frozen=True)
class Floor:
    """All of it, once in the quick form."""

    name: str = "floor"
    title: str = "the floor: HTTP alone, and SQL alone on one connection"
    quick: bool = True

    def turns(self, bench: Bench) -> int:
        """Return the number of rounds."""
        return bench.rounds_of(3, 1)

    def run(self, bench: Bench) -> WorkloadResult:
        """Measure both."""
        bench.alone()
        row = ServerResult("floor")
        result = WorkloadResult(self.name, self.title, FIGURES, {"floor": row})
        databases = bench.databases(POSTGRESQL)
        for number in range(self.turns(bench)):
            bench.step(f"floor: round {number + 1} of {self.turns(bench)}")
            try:
                found = {**_http(bench), **_sql(bench, databases)}
            except FAILURES as ex:
                bench.failed(row, reason(ex))
                break
            row.rounds.append(found)
            bench.figures(self.name, TRIVIAL, FIGURES, found)
        return result


def _http(bench: Bench) -> dict[str, float]:
    with running(TRIVIAL, "", 2, bench.logs) as server:
        runs = [run_id(i) for i in range(CONNECTIONS)]
        request = log_metric.WORKLOAD.request
        before = server.cpu_seconds()
        seen = Load(server.port, request, runs, bench.turn_seconds()).wait()
        return {"http_rate": seen.rate, "http_cpu": (server.cpu_seconds() - before) * 1000 / seen.sent}


def _sql(bench: Bench, databases: Databases) -> dict[str, float]:
    found: dict[str, float] = {}
    with databases.with_schema(OURS) as database:
        if not database.is_postgresql:
            return found
        seed_runs(database, 0, max(PAGES), DENSE)
        seconds = bench.turn_seconds() / 4
        with psycopg.connect(database.uri, autocommit=True) as connection:
            for size in SIZES:
                step = _transaction(connection, size)
                found |= _timed(f"write_{size}", step, seconds, databases)
            for page in PAGES:
                step = _page(connection, page)
                found |= _timed(f"read_{page}", step, seconds, databases)
    return found


def _transaction(connection: psycopg.Connection[Any], size: int) -> Callable[[int], None]:
    run = run_id(1)
    keys = [f"bare_{i}" for i in range(size)]
    same = ([run] * size, keys, [0.5] * size, [1_700_000_000_000] * size)
    cursor = connection.cursor()

    def step(number: int) -> None:
        columns = (*same, [number] * size, [False] * size)
        cursor.execute("BEGIN")
        cursor.execute(_RUN, ([run],))
        cursor.execute(_HISTORY, columns)
        cursor.execute(_LATEST, columns)
        cursor.execute("COMMIT")

    return step


def _page(connection: psycopg.Connection[Any], runs: int) -> Callable[[int], None]:
    ids = [run_id(i) for i in range(1, runs + 1)]
    cursor = connection.cursor()

    def step(number: int) -> None:
        for query in _PAGE:
            cursor.execute(query, (ids,))

    return step


def _timed(name: str, step: Callable[[int], None], seconds: float, databases: Databases) -> dict[str, float]:
    """Run ``step`` for so long; return its rate, and the CPU ms that it took here and in PostgreSQL."""
    for _ in range(10):
        step(next(_numbers))
    begin, cpu, database_cpu, done = time.monotonic(), time.process_time(), databases.cpu_seconds(), 0
    while time.monotonic() - begin < seconds:
        step(next(_numbers))
        done += 1
    took = time.monotonic() - begin
    found = {f"{name}_rate": done / took, f"{name}_cpu": (time.process_time() - cpu) * 1000 / done}
    if database_cpu is not None:
        found[f"{name}_db"] = ((databases.cpu_seconds() or 0.0) - database_cpu) * 1000 / done
    return found


WORKLOAD = Floor()
