"""Writers that meet on the same rows and the same file: no error, no deadlock, every acknowledged row is there."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from benchmarks import processes
from tests.support.databases import SqliteDatabases
from tests.support.http import Connection, Request, json_request
from tests.support.postgres import PostgresDatabases
from tests.support.rows import rows
from tests.support.servers import UPSTREAM, ServerFactory, ours_command

API = "/api/2.0/mlflow"
LONG = "MLFLOW_ACCEL_TEST_LOAD" in os.environ
SECONDS = 60.0 if LONG else 3.0
NOW = 1_700_000_000_000


def new_runs(port: int, count: int) -> list[str]:
    """Create runs in the default experiment and return their ids."""
    with Connection(port) as connection:
        answers = [connection.send(json_request("POST", f"{API}/runs/create", {"experiment_id": "0"})) for _ in range(count)]
    return [answer.json()["run"]["info"]["run_id"] for answer in answers]  # type: ignore[index]


def batch(run_id: str, writer: int, number: int, keys: int) -> Request:
    """A batch of one step: every writer uses the same keys, and has timestamps of its own."""
    metrics = [
        {"key": f"k{key}", "value": float(number), "timestamp": NOW + writer, "step": number} for key in range(keys)
    ]
    return json_request("POST", f"{API}/runs/log-batch", {"run_id": run_id, "metrics": metrics})


def batches(run_id: str, writer: int, keys: int, first: int = 0) -> Iterable[Request]:
    """Batches of one step after the other."""
    return (batch(run_id, writer, number, keys) for number in itertools.count(first))


class Writer(threading.Thread):
    """Sends requests over one connection until it is time, and counts what was answered."""

    def __init__(self, port: int, requests: Iterable[Request], until: float) -> None:
        super().__init__()
        self._port, self._requests, self._until = port, requests, until
        self.statuses: Counter[int] = Counter()
        self.refusals: list[bytes] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Send."""
        try:
            with Connection(self._port) as connection:
                for request in self._requests:
                    answer = connection.send(request)
                    self.statuses[answer.status] += 1
                    if answer.status != 200:
                        self.refusals.append(answer.body)
                    if time.monotonic() > self._until:
                        return
        except BaseException as ex:
            self.error = ex


def finished(writers: list[Writer]) -> list[int]:
    """Wait for ``writers``, and return how many requests of each were acknowledged: all of them."""
    for writer in writers:
        writer.join()
    assert [writer.error for writer in writers] == [None] * len(writers)
    assert [writer.refusals for writer in writers] == [[]] * len(writers)
    return [writer.statuses[200] for writer in writers]


def test_processes_that_write_to_the_same_runs(
    postgres_databases: PostgresDatabases, new_directory: Callable[[], Path]
) -> None:
    uri = postgres_databases.fresh()
    with ServerFactory(ours_command(), new_directory) as factory:
        server = factory("--backend-store-uri", uri, "--workers", "8")
        run_ids = new_runs(server.port, 4)
        until = time.monotonic() + SECONDS
        writers = [
            Writer(server.port, batches(run_ids[writer % 4], writer, 500), until) for writer in range(24)
        ]
        acknowledged = finished(writers)
    assert min(acknowledged) > 0
    found = rows(uri, {"metrics": "true", "latest_metrics": "true"})
    assert len(found["metrics"]) == sum(acknowledged) * 500
    assert len(found["latest_metrics"]) == 4 * 500


def test_everyone_on_one_sqlite_file(sqlite_databases: SqliteDatabases, new_directory: Callable[[], Path]) -> None:
    """Our workers, upstream's own server and a job runner: nobody sees that the database is locked."""
    uri = sqlite_databases.fresh()
    with ServerFactory(ours_command(), new_directory) as factory, ServerFactory(UPSTREAM, new_directory) as upstream:
        server = factory("--backend-store-uri", uri, "--workers", "4")
        # Upstream starts its job runner with the server.
        other = upstream("--backend-store-uri", uri)
        run_ids = new_runs(server.port, 34)
        until = time.monotonic() + SECONDS
        writers = [
            Writer(port, batches(run_ids[n], n, 10), until)
            for n, port in enumerate([server.port] * 32 + [other.port] * 2)
        ]
        acknowledged = finished(writers)
        assert "database is locked" not in server.output() + other.output()
    assert min(acknowledged) > 0
    assert len(rows(uri, {"metrics": "true"})["metrics"]) == sum(acknowledged) * 10


@pytest.mark.skipif(not LONG, reason="ten minutes: needs MLFLOW_ACCEL_TEST_LOAD (tox -e load)")
def test_memory_stays_flat(postgres_databases: PostgresDatabases, new_directory: Callable[[], Path]) -> None:
    """Ten minutes of batches of 1000, after one to warm up: the tree's proportional set size grows by less than 10 %."""
    uri = postgres_databases.fresh()
    with ServerFactory(ours_command(), new_directory) as factory:
        server = factory("--backend-store-uri", uri, "--workers", "2")
        run_ids = new_runs(server.port, 20)

        def load(first: int, seconds: float) -> int:
            until = time.monotonic() + seconds
            writers = [
                Writer(server.port, batches(run, n, 1000, first), until) for n, run in enumerate(run_ids)
            ]
            finished(writers)
            return processes.pss_bytes(processes.tree(server.process.pid))

        warm = load(0, 60)
        assert load(10_000_000, 600) < 1.1 * warm
