"""Upstream's job runner: there when there is work, and once for all workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from mlflow.entities._job_status import JobStatus
from sqlalchemy import create_engine, text

from tests.support.processes import SOON_SECONDS, RunningServer, children, eventually
from tests.support.servers import ServerFactory

RUNNER = "mlflow.server.jobs._job_runner"


def runners(server: RunningServer) -> list[int]:
    """Return the pids of the job runners below the server."""
    found, level = [], [server.process.pid]
    while level:
        level = [child for pid in level if Path(f"/proc/{pid}").exists() for child in children(pid)]
        for pid in level:
            command = Path(f"/proc/{pid}/cmdline")
            if command.exists() and RUNNER.encode() in command.read_bytes():
                found.append(pid)
    return found


def leave_unfinished_job(uri: str) -> None:
    """Store a job as a server leaves it that was stopped before the job ran."""
    engine = create_engine(uri)
    job = {"id": "a" * 32, "now": int(time.time() * 1000), "status": JobStatus.PENDING.to_int()}
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, creation_time, job_name, params, status, retry_count, last_update_time, workspace)"
                " VALUES (:id, :now, 'invoke_scorer', '{}', :status, 0, :now, 'default')"
            ),
            job,
        )
    engine.dispose()


def test_nothing_runs_where_there_is_no_work(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri, "--workers", "2")
    eventually(lambda: len(children(server.process.pid)) == 2)
    assert not runners(server)


def test_an_unfinished_job_starts_one_runner_for_all_workers(ours: ServerFactory, database_uri: str) -> None:
    leave_unfinished_job(database_uri)
    server = ours("--backend-store-uri", database_uri, "--workers", "2")
    eventually(lambda: len(runners(server)) == 1)
    # A worker that comes later finds it running.
    eventually(lambda: len(children(server.process.pid)) == 2)
    victim = next(pid for pid in children(server.process.pid) if not runners_below(pid))
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(children(server.process.pid)) == 2 and victim not in children(server.process.pid))
    assert len(runners(server)) == 1
    [runner] = runners(server)
    server.stop()
    deadline = time.monotonic() + SOON_SECONDS
    while Path(f"/proc/{runner}").exists():
        assert time.monotonic() < deadline, "the runner outlived its server"
        time.sleep(0.1)


def runners_below(pid: int) -> list[int]:
    """Return the children of a worker: the runner, if that worker started it."""
    return children(pid)
