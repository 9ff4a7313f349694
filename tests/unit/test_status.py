"""``mlflow-accel status``: what running servers say of themselves, however they were started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlflow_accel import __version__, _impl, config, counters
from mlflow_accel.commands import cli
from mlflow_accel.server import runtime
from tests.support.http import Connection, json_request
from tests.support.processes import RunningServer, clean_environment, free_port, start_server
from tests.support.servers import ServerFactory

API = "/api/2.0/mlflow/runs"
PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the servers of a test, and no others, are found."""
    directory = tmp_path / "runtime"
    directory.mkdir()
    monkeypatch.setenv(config.RUNTIME_DIR.name, str(directory))
    return directory


def status() -> dict[str, Any]:
    """Return what the command prints for programs."""
    shown = CliRunner().invoke(cli, ["status", "--json"])
    assert shown.exit_code == 0, shown.output
    facts: dict[str, Any] = json.loads(shown.stdout)
    return facts


def text() -> str:
    """Return what the command prints into a pipe."""
    shown = CliRunner().invoke(cli, ["status"])
    assert shown.exit_code == 0, shown.output
    return shown.output


def log(server: RunningServer) -> None:
    """Log three metrics and a batch that are plain, and a metric whose body has a field that nobody knows."""
    with Connection(server.port) as connection:
        answer: Any = connection.send(json_request("POST", f"{API}/create", {"experiment_id": "0"})).json()
        run_id = answer["run"]["info"]["run_id"]
        metric = {"key": "loss", "value": 0.5, "timestamp": 1}
        bodies = [{"run_id": run_id, "step": step, **metric} for step in range(3)]
        for body in (*bodies, {**bodies[0], "unknown": 1}):
            connection.send(json_request("POST", f"{API}/log-metric", body))
        batch = {"run_id": run_id, "metrics": [{**metric, "step": 5}]}
        assert connection.send(json_request("POST", f"{API}/log-batch", batch)).status == 200


def with_password(uri: str) -> str:
    """Return a PostgreSQL URI with a password, which the server does not ask for."""
    return uri.replace("postgres@", f"postgres:{PASSWORD}@")


def command_line(ours: ServerFactory, uri: str, cwd: Path, options: Sequence[str]) -> RunningServer:
    """Start ``mlflow-accel server``."""
    env = {config.RUNTIME_DIR.name: os.environ[config.RUNTIME_DIR.name]}
    return ours("--backend-store-uri", uri, "--workers", "2", *options, env=env)


def gunicorn(ours: ServerFactory, uri: str, cwd: Path, options: Sequence[str]) -> RunningServer:
    """Start ``gunicorn mlflow_accel.app``."""
    port = free_port()
    own = ("-w", "2", "-b", f"127.0.0.1:{port}")
    env = {config.RUNTIME_DIR.name: os.environ[config.RUNTIME_DIR.name], "MLFLOW_BACKEND_STORE_URI": uri}
    command = [sys.executable, "-m", "gunicorn", *own, *options, "mlflow_accel.app"]
    return start_server(command, port=port, cwd=cwd, env=clean_environment(env))


Start = Callable[[ServerFactory, str, Path, Sequence[str]], RunningServer]

FORMS: dict[str, tuple[Start, Sequence[str]]] = {
    "command line": (command_line, ()),
    "command line, reloading": (command_line, ("--dev",)),
    "tuned": (gunicorn, ("-c", "python:mlflow_accel.server.gunicorn_conf")),
    "gevent": (gunicorn, ("-k", "gevent")),
    "gthread": (gunicorn, ("-k", "gthread", "--threads", "4")),
}


@pytest.fixture(params=FORMS)
def server(
    request: pytest.FixtureRequest, ours: ServerFactory, postgres_uri: str, tmp_path: Path
) -> Iterator[RunningServer]:
    """A server with two workers, whose database URI holds a password."""
    start, options = FORMS[request.param]
    server = start(ours, with_password(postgres_uri), tmp_path, options)
    yield server
    server.stop()


def test_a_running_server(server: RunningServer) -> None:
    log(server)
    (facts,) = status()["servers"]
    assert facts["pid"] == server.process.pid
    assert set(facts["workers"]) <= set(children(server.process.pid)) and facts["workers"]
    assert facts["addresses"] == [["127.0.0.1", server.port]]
    assert facts["versions"]["mlflow-accel"] == __version__
    assert facts["modules"] == _impl.modules()
    assert facts["patches"] and all(patch["applied"] for patch in facts["patches"])
    assert facts["fast_lane"] == {"on": True, "reason": ""}
    asked = {endpoint: counts for endpoint, counts in facts["requests"].items() if counts}
    assert asked == {"create_run": {"fast": 1}, "log_metric": {"fast": 3, "body": 1}, "log_batch": {"fast": 1}}
    shares = {name: share for name, share in facts["fast_share"].items() if share is not None}
    assert shares == {"create_run": 1.0, "log_metric": 0.75, "log_batch": 1.0}
    for name in ("tracking", "registry"):
        store = facts["stores"][name]
        assert store["driver"] == "psycopg" and "postgres:***@" in store["database"]
        assert store["pool"] == {"class": "QueuePool", "size": 5, "overflow": 10, "timeout": 30.0}

    shown = text()
    assert PASSWORD not in shown and PASSWORD not in json.dumps(facts)
    assert "\x1b" not in shown
    lines = [line.split() for line in shown.splitlines()]
    assert facts["cold_worker"] in [None, *facts["workers"]]
    assert (facts["cold_worker"] is not None) == ("cold worker" in shown)
    assert ["log_metric", "4", "3", "75.0%", "body", "1"] in lines
    assert ["address", f"http://127.0.0.1:{server.port}"] in lines
    assert ["fast", "lane", "on"] in lines


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_why_there_is_no_fast_lane(ours: ServerFactory, sqlite_uri: str, tmp_path: Path) -> None:
    server = command_line(ours, sqlite_uri, tmp_path, ["--enable-workspaces"])
    log(server)
    (facts,) = status()["servers"]
    assert facts["fast_lane"] == {"on": False, "reason": "workspaces are enabled"}
    assert facts["fast_share"]["log_batch"] == 1.0
    assert "off: workspaces are enabled" in text()


def test_a_pools_settings(ours: ServerFactory, sqlite_uri: str, runtime_directory: Path) -> None:
    settings = {
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "3",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "0",
        config.POOL_TIMEOUT.name: "2.5",
        config.RUNTIME_DIR.name: str(runtime_directory),
    }
    ours("--backend-store-uri", sqlite_uri, env=settings)
    assert "QueuePool (3 + 0 overflow, 2.5 s)" in text()


def test_a_unix_socket(sqlite_uri: str, tmp_path: Path, ours: ServerFactory) -> None:
    path = tmp_path / "socket"
    server = gunicorn(ours, sqlite_uri, tmp_path, ["-k", "gevent", "-b", f"unix:{path}"])
    try:
        (facts,) = status()["servers"]
        shown = text()
    finally:
        server.stop()
    assert sorted(facts["addresses"], key=str) == sorted([str(path), ["127.0.0.1", server.port]], key=str)
    assert f"unix:{path}" in shown


def test_no_server_runs() -> None:
    facts = status()
    assert facts["servers"] == []
    assert set(facts["versions"]) == {"mlflow-accel", "mlflow", "SQLAlchemy", "gunicorn", "gevent", "Python"}
    assert facts["patches"] and not any(patch["applied"] for patch in facts["patches"])
    shown = text()
    assert "No server of this user runs." in shown
    for patch in facts["patches"]:
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{patch['id']} ")]
        assert patch["upstream"] in line and "would be applied" in line


def test_a_server_that_has_stopped_is_forgotten() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    directory = runtime.directory(ended.pid)
    assert status()["servers"] == []
    assert not directory.exists()


def test_a_server_that_starts() -> None:
    runtime.directory(os.getpid())
    (facts,) = status()["servers"]
    assert facts["pid"] == os.getpid() and facts["requests"] is None
    assert "starting" in text()


def test_another_versions_counts_are_not_guessed() -> None:
    directory = runtime.directory(os.getpid())
    runtime.describe(os.getpid(), {"versions": {"mlflow-accel": "99"}, "requests": "of another form"})
    (directory / f"counters-{os.getpid()}").write_bytes(b"of another form")
    (facts,) = status()["servers"]
    assert facts["requests"] is None and facts["fast_share"] is None
    shown = text()
    assert "mlflow-accel 99" in shown and "another version's" in shown


def test_counts_outlive_their_worker_and_wait_for_one_that_attaches() -> None:
    directory = runtime.directory(os.getpid())
    with subprocess.Popen(["true"]) as ended:
        pass
    row = (1).to_bytes(8, sys.byteorder) * len(counters.OUTCOMES)
    (directory / f"counters-{ended.pid}").write_bytes(b' ["log_metric"]\n' + row)
    (directory / f"counters-{os.getpid()}").write_bytes(b"")
    assert runtime.workers(directory) == [os.getpid()]
    assert runtime.requests(directory)["log_metric"]["fast"] == 1
