"""Upstream's job runner: there when there is work, once for all workers, and there again when it was killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis as client
from mlflow.entities._job_status import JobStatus
from sqlalchemy import text

from tests.servers.job_functions import FUNCTIONS
from tests.support.databases import Databases
from tests.support.http import Request, json_request, send
from tests.support.processes import (
    RunningServer,
    children,
    clean_environment,
    eventually,
    free_port,
    start_server,
)
from tests.support.redis import MISSING, PROGRAM, redis
from tests.support.rows import engine
from tests.support.servers import ServerFactory, ours_command

RUNNER = "mlflow_accel.server.job_runner"
JOBS = "/ajax-api/3.0/jobs/"
EXECUTOR = {"MLFLOW_SERVER_JOB_EXECUTION_ENGINE": "executor"}
PROGRESS = {"phase": "noting", "completed": 1, "total": 2, "unit": "lines"}
"""What a job reports that takes time, before it notes that it begins."""

LOAD = "MLFLOW_ACCEL_TEST_LOAD"
"""Set for the tests that take over a minute; without it, one storage of the queues is tried on each database."""

LONG_SECONDS = 300.0
"""For what waits for the start of a runner, or of a job: each is a process that imports MLflow."""


def runners(server: RunningServer) -> list[int]:
    """Return the pids of the job runners of the server: it stands in their environment."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            environment = (command.parent / "environ").read_bytes().split(b"\0")
            runs = RUNNER.encode() in command.read_bytes().split(b"\0")
            if runs and f"MLFLOW_SERVER_PID={server.process.pid}".encode() in environment:
                found.append(int(command.parent.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


@dataclass(frozen=True)
class Jobs:
    """The jobs of a server, by the names that they note."""

    server: RunningServer
    notes: Path

    def submit(self, name: str, seconds: float = 0.0) -> str:
        """Submit a job through the server and return its id."""
        params = {"path": str(self.notes), "name": name, "seconds": seconds}
        answer = send(self.server.port, json_request("POST", JOBS, {"job_name": "note", "params": params}))
        assert answer.status == 200, answer.body
        return str(self._json(answer.body)["job_id"])

    def get(self, job_id: str) -> dict[str, Any]:
        """Return what the server says of a job."""
        return self._json(send(self.server.port, Request("GET", JOBS + job_id)).body)

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job and return what it is then."""
        return self._json(send(self.server.port, Request("PATCH", f"{JOBS}cancel/{job_id}")).body)

    def wait(self, job_id: str, status: str) -> dict[str, Any]:
        """Wait until a job has ``status``."""
        eventually(lambda: self.get(job_id)["status"] == status, LONG_SECONDS)
        return self.get(job_id)

    def noted(self, what: str) -> Counter[str]:
        """Return how often each job has noted ``begin`` or ``end``."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return Counter(line.split()[1] for line in lines if line.split()[0] == what)

    @staticmethod
    def _json(body: bytes) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(body)
        return found


def leave_unfinished_job(uri: str, notes: Path, name: str) -> str:
    """Store a job as a server leaves it that was stopped before the job ran; return its id."""
    params = json.dumps({"path": str(notes), "name": name})
    row = {
        "id": name * 4,
        "now": int(time.time() * 1000),
        "status": JobStatus.PENDING.to_int(),
        "params": params,
    }
    statement = (
        "INSERT INTO jobs (id, creation_time, job_name, params, status, retry_count, last_update_time, workspace)"
        " VALUES (:id, :now, 'note', :params, :status, 0, :now, 'default')"
    )
    with engine(uri).begin() as connection:
        connection.execute(text(statement), row)
    return str(row["id"])


def start(form: str, uri: str, directory: Path, env: Mapping[str, str]) -> RunningServer:
    """Start our server in one of its forms: ``command``, ``tuned`` or ``plain``."""
    port = free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}"]
    command = {
        "command": [
            *ours_command(),
            "server",
            "--workers",
            "2",
            "--port",
            str(port),
            "--backend-store-uri",
            uri,
        ],
        "tuned": [*gunicorn, "-c", "python:mlflow_accel.server.gunicorn_conf", "mlflow_accel.app"],
        "plain": [*gunicorn, "-k", "gevent", "mlflow_accel.app"],
    }[form]
    environment = {**FUNCTIONS, **env, "MLFLOW_BACKEND_STORE_URI": uri}
    path = os.pathsep.join([clean_environment()["PYTHONPATH"], FUNCTIONS["PYTHONPATH"]])
    return start_server(
        command, port=port, cwd=directory, env=clean_environment({**environment, "PYTHONPATH": path})
    )


JobServer = Callable[..., Jobs]


@pytest.fixture
def serve(new_directory: Callable[[], Path]) -> Iterator[JobServer]:
    """Start a server: ``serve(form, uri, notes, **environment)``; it is stopped in the end, soon."""
    started: list[RunningServer] = []

    def run(form: str, uri: str, notes: Path, env: Mapping[str, str]) -> Jobs:
        started.append(start(form, uri, new_directory(), env))
        return Jobs(started[-1], notes)

    yield run
    for server in started:
        server.stop()


def check_cancel(jobs: Jobs) -> None:
    """Cancel a job that has told how far it is."""
    long = jobs.submit("long", seconds=600.0)
    eventually(lambda: jobs.noted("begin")["long"] == 1, LONG_SECONDS)
    running = jobs.get(long)
    assert (running["status"], running["status_message"]) == ("RUNNING", "noting long")
    assert running["progress"] == PROGRESS
    assert jobs.cancel(long)["status"] == "CANCELED"


def check_kill(jobs: Jobs) -> None:
    """Kill the runner while two jobs run and two wait: each of them ends once, under a new runner."""
    submitted = {name: jobs.submit(name, seconds=600.0) for name in ("a", "b")}
    submitted |= {name: jobs.submit(name) for name in ("c", "d")}
    eventually(lambda: jobs.noted("begin").keys() >= {"a", "b"}, LONG_SECONDS)
    [runner] = runners(jobs.server)
    os.kill(runner, signal.SIGKILL)
    submitted["e"] = jobs.submit("e")
    for job_id in submitted.values():
        jobs.wait(job_id, "SUCCEEDED")
    begun, ended = jobs.noted("begin"), jobs.noted("end")
    assert {name: (begun[name], ended[name]) for name in submitted} == {
        **dict.fromkeys(("a", "b"), (2, 1)),
        **dict.fromkeys(("c", "d", "e"), (1, 1)),
    }
    [another] = runners(jobs.server)
    assert another != runner
    # What was cancelled is not taken up.
    assert (begun["long"], ended["long"]) == (1, 0)


def check_end(jobs: Jobs) -> None:
    """Stop the server: it ends, and its runner does."""
    [runner] = runners(jobs.server)
    assert jobs.server.stop() == 0
    eventually(lambda: not Path(f"/proc/{runner}").exists())


def test_nothing_runs_where_there_is_no_work(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri, "--workers", "2")
    eventually(lambda: len(children(server.process.pid)) == 3)
    assert not runners(server)


@pytest.mark.parametrize("form", ["command", "plain"])
def test_the_executor(databases: Databases, serve: JobServer, tmp_path: Path, form: str) -> None:
    """The job that wakes the runner runs once; progress shows; a cancelled job ends; a kill loses nothing."""
    if (form, databases.name) not in {("command", "postgresql"), ("plain", "sqlite")}:
        pytest.skip("one form on each database")
    jobs = serve(form, databases.fresh(), tmp_path / "notes", EXECUTOR)
    assert not runners(jobs.server)
    waking = jobs.submit("waking")
    assert jobs.wait(waking, "SUCCEEDED")["result"] == "waking"
    check_cancel(jobs)
    check_kill(jobs)
    assert (jobs.noted("begin")["waking"], jobs.noted("end")["waking"]) == (1, 1)
    check_end(jobs)


@pytest.fixture
def redis_url(new_directory: Callable[[], Path]) -> Iterator[str]:
    """The URL of an empty Redis."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    with redis(new_directory()) as url:
        yield url


def pushed(url: str) -> int:
    """Return how many tasks were put into queues of this Redis since it was started."""
    with client.Redis.from_url(url) as connection:
        return int(connection.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


@pytest.mark.parametrize("queues", ["files", "redis"])
def test_huey(
    databases: Databases, queues: str, serve: JobServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One runner for all workers takes up what a server left; a cancelled job ends; a kill loses nothing."""
    if LOAD not in os.environ and (queues == "redis") != (databases.name == "postgresql"):
        pytest.skip(f"the other storage of queues on each database takes {LOAD}")
    url = request.getfixturevalue("redis_url") if queues == "redis" else None
    uri = databases.fresh()
    left = leave_unfinished_job(uri, tmp_path / "notes", "left")
    jobs = serve(
        "tuned", uri, tmp_path / "notes", {} if url is None else {"MLFLOW_SERVER_JOB_HUEY_REDIS_URL": url}
    )
    eventually(lambda: len(runners(jobs.server)) == 1)
    jobs.wait(left, "SUCCEEDED")
    # A worker that comes later finds it running.
    [runner] = runners(jobs.server)
    victim = children(jobs.server.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    eventually(
        lambda: (
            victim not in children(jobs.server.process.pid) and len(children(jobs.server.process.pid)) >= 2
        )
    )
    assert runners(jobs.server) == [runner]
    check_cancel(jobs)
    check_kill(jobs)
    assert (jobs.noted("begin")["left"], jobs.noted("end")["left"]) == (1, 1)
    if url is not None:
        # What was left, the one of check_cancel, and the five of check_kill.
        assert pushed(url) >= 7
    check_end(jobs)
