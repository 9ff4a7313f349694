"""A database that goes away: clients are told to come back, soon, and nothing that was acknowledged is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.postgres import TESTED, Postgres, running_postgres
from tests.support.databases import initialise
from tests.support.http import Answer, Connection, json_request
from tests.support.processes import RunningServer, eventually
from tests.support.rows import rows
from tests.support.servers import ServerFactory, ours_command

API = "/api/2.0/mlflow"
CLIENTS = 4
SOON_SECONDS = 15.0
"""Far below the 30 s for which a request may wait for a connection."""


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, with MLflow's schema."""
    with running_postgres(TESTED) as server:
        initialise(server.uri())
        yield server


def stop(postgres: Postgres) -> None:
    """Stop the server as a crash does."""
    postgres.process.send_signal(signal.SIGQUIT)
    postgres.process.wait(30)


def start_again(postgres: Postgres) -> subprocess.Popen[bytes]:
    """Start a server that was stopped, on its old data and port."""
    command: list[str] = postgres.process.args  # type: ignore[assignment]
    owner = os.stat(command[command.index("-D") + 1]).st_uid
    return subprocess.Popen(command, user=owner, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Client:
    """Logs one metric after the other, each again until it is acknowledged."""

    def __init__(self, server: RunningServer, run_id: str) -> None:
        self._server, self._run_id = server, run_id
        self.acknowledged = 0
        self.refused: list[tuple[Answer, float]] = []
        self.stopping = False
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            with Connection(self._server.port) as connection:
                while not self.stopping:
                    self._log(connection)
        except BaseException as ex:
            self.error = ex

    def _log(self, connection: Connection) -> None:
        step = self.acknowledged
        metric = {"run_id": self._run_id, "key": "m", "value": 0.5, "timestamp": 1, "step": step}
        begun = time.monotonic()
        answer = connection.send(json_request("POST", f"{API}/runs/log-metric", metric))
        if answer.status == 200:
            self.acknowledged += 1
        else:
            self.refused.append((answer, time.monotonic() - begun))
            time.sleep(0.1)  # the client's own pause before it tries again


def test_a_database_that_stops_and_comes_back(postgres: Postgres, new_directory: Callable[[], Path]) -> None:
    with ServerFactory(ours_command(), new_directory) as factory:
        server = factory("--backend-store-uri", postgres.uri(), "--workers", "2")
        with Connection(server.port) as connection:
            made = [connection.send(json_request("POST", f"{API}/runs/create", {"experiment_id": "0"})) for _ in range(CLIENTS)]
        run_ids: list[str] = [answer.json()["run"]["info"]["run_id"] for answer in made]  # type: ignore[index]
        clients = [Client(server, run_id) for run_id in run_ids]
        eventually(lambda: all(client.acknowledged >= 10 for client in clients))
        stop(postgres)
        eventually(lambda: all(client.refused for client in clients))
        again = start_again(postgres)
        try:
            before = [client.acknowledged for client in clients]
            eventually(lambda: all(c.acknowledged >= n + 10 for c, n in zip(clients, before, strict=True)))
            for client in clients:
                client.stopping = True
                client.thread.join()
            assert [client.error for client in clients] == [None] * CLIENTS
            for answer, seconds in (refusal for client in clients for refusal in client.refused):
                assert answer.status == 503, answer.body
                assert answer.header("Retry-After") == ["1"]
                assert seconds < SOON_SECONDS
            for client, run_id in zip(clients, run_ids, strict=True):
                found = rows(postgres.uri(), {"metrics": "run_uuid = :run"}, run=run_id)["metrics"]
                assert len(found) == client.acknowledged
        finally:
            again.send_signal(signal.SIGINT)
            again.wait(30)
