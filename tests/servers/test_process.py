"""The process tree: what signals do to it, what survives, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.http import Connection, Request, json_request
from tests.support.processes import (
    SOON_SECONDS,
    RunningServer,
    children,
    clean_environment,
    eventually,
    free_port,
    start_server,
)
from tests.support.servers import ServerFactory, ours_command

API = "/api/2.0/mlflow"


def new_run(server: RunningServer) -> str:
    """Create a run in the default experiment and return its id."""
    with Connection(server.port) as connection:
        answer = connection.send(json_request("POST", f"{API}/runs/create", {"experiment_id": "0"})).json()
    assert isinstance(answer, dict)
    run_id: str = answer["run"]["info"]["run_id"]
    return run_id


def metric(run_id: str, step: int) -> Request:
    """Log ``step`` as the value of a metric at that step."""
    body = {"run_id": run_id, "key": "m", "value": step, "timestamp": step, "step": step}
    return json_request("POST", f"{API}/runs/log-metric", body)


def history(server: RunningServer, run_id: str) -> list[int]:
    """Return the steps at which the run has the metric."""
    with Connection(server.port) as connection:
        path = f"{API}/metrics/get-history?run_id={run_id}&metric_key=m"
        answer = connection.send(Request("GET", path)).json()
    assert isinstance(answer, dict)
    return sorted(m["step"] for m in answer.get("metrics", []))


class Trainer:
    """Logs one metric after another, each on a new connection, until it is told to stop."""

    def __init__(self, server: RunningServer, run_id: str) -> None:
        self.acknowledged: list[int] = []
        self.failed: list[object] = []
        self._server, self._run_id = server, run_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._train)

    def _train(self) -> None:
        step = 0
        while not self._stop.is_set():
            step += 1
            try:
                with Connection(self._server.port) as connection:
                    status = connection.send(metric(self._run_id, step)).status
            except OSError as ex:
                self.failed.append(ex)
            else:
                (self.acknowledged if status == 200 else self.failed).append(step)

    def __enter__(self) -> Trainer:
        self._thread.start()
        eventually(lambda: len(self.acknowledged) > 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def server(ours: ServerFactory, sqlite_uri: str) -> RunningServer:
    """Our server with two workers on a SQLite file."""
    return ours("--backend-store-uri", sqlite_uri, "--workers", "2")


def test_sigterm_answers_what_was_begun(ours: ServerFactory, postgres_uri: str) -> None:
    server = ours("--backend-store-uri", postgres_uri)
    answers = []
    with psycopg.connect(postgres_uri) as holder:
        holder.execute("LOCK TABLE registered_models IN ACCESS EXCLUSIVE MODE")

        def search() -> None:
            with Connection(server.port) as connection:
                answers.append(connection.send(Request("GET", f"{API}/registered-models/search")).status)

        client = threading.Thread(target=search)
        client.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with psycopg.connect(postgres_uri, autocommit=True) as watcher:
            eventually(lambda: watcher.execute(waiting).fetchone() == (1,))
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "Handling signal: term" in server.output())
        holder.rollback()
    client.join()
    assert answers == [200]
    assert server.process.wait(SOON_SECONDS) == 0


def test_sighup_replaces_workers_and_loses_nothing(server: RunningServer) -> None:
    run_id = new_run(server)
    before = set(children(server.process.pid))
    with Trainer(server, run_id) as trainer:
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(children(server.process.pid)) == 3 and not before & set(children(server.process.pid)))
        seen = len(trainer.acknowledged)
        eventually(lambda: len(trainer.acknowledged) > seen + 10)
    assert not trainer.failed
    assert history(server, run_id) == trainer.acknowledged


def test_a_killed_worker_comes_back(server: RunningServer) -> None:
    run_id = new_run(server)
    with Trainer(server, run_id) as trainer:
        # The first is the cold worker, which nobody talks to here.
        victim = children(server.process.pid)[1]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(children(server.process.pid)) == 3 and victim not in children(server.process.pid))
        seen = len(trainer.acknowledged)
        eventually(lambda: len(trainer.acknowledged) > seen + 10)
    assert set(trainer.acknowledged) <= set(history(server, run_id))


def test_an_address_in_use_is_refused(server: RunningServer, sqlite_uri: str) -> None:
    command = [*ours_command(), "server", "--port", str(server.port), "--backend-store-uri", sqlite_uri]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{server.port}" in done.stderr


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (("--uvicorn-opts", "--reload"), {}),
        (("--waitress-opts", "--threads=4"), {}),
        ((), {"MLFLOW_UVICORN_OPTS": "--reload"}),
    ],
    ids=["uvicorn option", "waitress option", "uvicorn variable"],
)
def test_another_servers_options_are_refused(options: tuple[str, ...], env: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*ours_command(), "server", *options],
        cwd=tmp_path,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "--gunicorn-opts" in done.stderr
    assert not list(tmp_path.iterdir()), "the database was created before the options were read"


def test_gunicorn_opts_are_passed_on(ours: ServerFactory, sqlite_uri: str) -> None:
    options = ("--gunicorn-opts", "--workers 3 --access-logfile -")
    server = ours("--backend-store-uri", sqlite_uri, *options)
    eventually(lambda: len(children(server.process.pid)) == 4)
    assert "GET /health" in server.output()


def gunicorn(*options: str) -> Callable[[str, Path], RunningServer]:
    """Return how to start ``gunicorn OPTIONS mlflow_accel.app`` on a database, in a directory."""

    def start(uri: str, cwd: Path) -> RunningServer:
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", *options, "mlflow_accel.app"]
        return start_server(command, port=port, cwd=cwd, env=clean_environment({"MLFLOW_BACKEND_STORE_URI": uri}))

    return start


FORMS = {
    "tuned": gunicorn("-w", "2", "-c", "python:mlflow_accel.server.gunicorn_conf"),
    "gevent": gunicorn("-w", "2", "-k", "gevent"),
    "gthread": gunicorn("-k", "gthread", "--threads", "4"),
    "sync": gunicorn(),
}


@pytest.fixture(params=FORMS)
def in_production(request: pytest.FixtureRequest, database_uri: str, tmp_path: Path) -> Iterator[RunningServer]:
    """A server started by gunicorn itself, in each form that the README names."""
    server = FORMS[request.param](database_uri, tmp_path)
    yield server
    assert server.stop() == 0


def test_gunicorn_serves_the_application(in_production: RunningServer) -> None:
    run_id = new_run(in_production)
    with Connection(in_production.port) as connection:
        assert [connection.send(metric(run_id, step)).status for step in range(5)] == [200] * 5
    assert history(in_production, run_id) == list(range(5))


def test_an_unprepared_preload_is_refused(sqlite_uri: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "--preload", "-k", "gevent", "-b", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(
        [*command, "mlflow_accel.app"],
        cwd=tmp_path,
        env=clean_environment({"MLFLOW_BACKEND_STORE_URI": sqlite_uri}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "gunicorn -c python:mlflow_accel.server.gunicorn_conf mlflow_accel.app" in done.stderr


def test_dev_reloads(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri, "--dev")
    assert "Reloader is on" in server.output()


def test_a_chunked_body_is_read(server: RunningServer) -> None:
    run_id = new_run(server)
    body = metric(run_id, 7).body
    assert body is not None
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    with Connection(server.port) as connection:
        assert connection.send(Request("POST", f"{API}/runs/log-metric", headers, chunked)).status == 200
    assert history(server, run_id) == [7]


def test_a_request_line_of_a_hundred_run_ids_is_taken(server: RunningServer) -> None:
    query = "&".join(f"run_id={'a' * 32}" for _ in range(100))
    path = f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?{query}&metric_key=m"
    with Connection(server.port) as connection:
        assert connection.send(Request("GET", path)).status == 200
