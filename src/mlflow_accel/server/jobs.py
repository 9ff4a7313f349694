"""Upstream's job runner, started by the first worker in need of it, once for the server.

Upstream starts it with the server, always: some nine processes that hold a gigabyte while there is nothing to run.
"""

from __future__ import annotations

import fcntl
import functools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from mlflow_accel.server import launch, runtime
from mlflow_accel.sql import sqlite_threads

_logger = logging.getLogger(__name__)

WATCH_SECONDS = 5.0
"""How often each worker looks whether a runner that was started is still there."""


def create_job(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the job store's ``create_job``: the runner runs before the job's row is there."""

    @functools.wraps(original)
    def create(self: Any, *arguments: Any, **keywords: Any) -> Any:
        start_runner()
        return original(self, *arguments, **keywords)

    return create


def upsert_online_scoring_config(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the tracking store's method: online scoring is one of the runner's periodic tasks."""

    @functools.wraps(original)
    def upsert(self: Any, *arguments: Any, **keywords: Any) -> Any:
        saved = original(self, *arguments, **keywords)
        if saved.sample_rate > 0:
            start_runner()
        return saved

    return upsert


_enqueuing = threading.Lock()
"""One enqueues at a time, so that huey's own locks, taken in the pool's threads, are free whenever they are taken."""


def get_or_init_huey_instance(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """Wrap upstream's function: queues that are SQLite files are opened and written to in the thread pool.

    huey writes under an exclusive lock, for which it waits in C, for up to 5 s.
    """

    @functools.wraps(original)
    def get(instance_key: str) -> Any:
        from mlflow.server.jobs.utils import HueyInstance, _get_huey_redis_url

        if _get_huey_redis_url() is not None:
            return original(instance_key)
        with _enqueuing:
            found = sqlite_threads.in_thread(original, instance_key)

        def submit(*arguments: Any) -> Any:
            with _enqueuing:
                return sqlite_threads.in_thread(found.submit_task, *arguments)

        return HueyInstance(found.instance, submit)

    return get


_work_at_start: bool | None = None


def look_for_work() -> bool:
    """Return whether the database or the configuration holds work for the runner: what an earlier server left, too.

    Looked up once per process; the arbiter does it for its workers, which then need no database to start.
    """
    global _work_at_start
    if _work_at_start is None:
        _work_at_start = enabled() and _has_work()
    return _work_at_start


def start_runner_if_needed() -> None:
    """Start the runner if there was work for it when the server started."""
    if look_for_work():
        start_runner()


def remove_queue() -> None:
    """Remove the folder of upstream's queues, which upstream makes anew, in shared memory, at each start."""
    from mlflow.server.constants import HUEY_STORAGE_PATH_ENV_VAR

    if enabled():
        shutil.rmtree(launch.current().env[HUEY_STORAGE_PATH_ENV_VAR], ignore_errors=True)


def enabled() -> bool:
    """Return whether upstream would have started its runner: it names a queue's folder then."""
    from mlflow.server.constants import HUEY_STORAGE_PATH_ENV_VAR

    return HUEY_STORAGE_PATH_ENV_VAR in launch.current().env


def _has_work() -> bool:
    from mlflow.entities._job_status import JobStatus
    from mlflow.environment_variables import MLFLOW_SQL_TRACE_ROLLUPS_ENABLED
    from mlflow.server import handlers
    from mlflow.store.tracking.dbmodels.models import SqlJob, SqlOnlineScoringConfig
    from mlflow.tracing.trace_archival_config import get_trace_archival_server_config

    if MLFLOW_SQL_TRACE_ROLLUPS_ENABLED.get():
        return True
    if (archival := get_trace_archival_server_config()) is not None and archival.enabled:
        return True
    engine = getattr(handlers._get_tracking_store(), "engine", None)
    if engine is None:
        return False
    unfinished = [s.to_int() for s in (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.NEEDS_RECOVERY)]
    from sqlalchemy import select

    with engine.connect() as connection:
        job = connection.execute(select(SqlJob.id).where(SqlJob.status.in_(unfinished)).limit(1)).first()
        scoring = (
            select(SqlOnlineScoringConfig.scorer_id).where(SqlOnlineScoringConfig.sample_rate > 0).limit(1)
        )
        return job is not None or connection.execute(scoring).first() is not None


def start_runner() -> None:
    """Start the job runner, unless one of this server's workers has and it is alive; one that is just dying is.

    The runner holds the lock for as long as it lives, however it ends.
    """
    if not enabled():
        return
    with (runtime.directory(runtime.arbiter_pid()) / "jobs").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        lock.seek(0)
        dead = lock.read()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow_accel.server.job_runner",
                str(lock.fileno()),
                *filter(None, [dead]),
            ],
            env=_environment(is_first=not dead),
            pass_fds=(lock.fileno(),),
            # So that a later runner can tell whether this one's processes have ended.
            start_new_session=True,
        )
        lock.truncate(0)
        lock.write(str(process.pid))
    if dead:
        _logger.warning(
            "MLflow's job runner (pid %s) had ended; another was started (pid %s).", dead, process.pid
        )
    else:
        _logger.info("Started MLflow's job runner (pid %s).", process.pid)


def watch_runner() -> None:
    """Start another runner whenever the one of this server has ended: called in every worker, as any may end."""
    if enabled():
        threading.Thread(target=_watch, name="job-runner", daemon=True).start()


def _watch() -> None:
    started = runtime.directory(runtime.arbiter_pid()) / "jobs"
    while runtime.is_alive(str(runtime.arbiter_pid())):
        time.sleep(WATCH_SECONDS)
        if started.exists():
            start_runner()


def _environment(is_first: bool) -> dict[str, str]:
    """Return the runner's environment: this process's, and what upstream adds to it.

    Upstream takes up the unfinished jobs that are older than the server. After a runner that was killed, those that
    are older than this moment are taken up: what waits in a queue apart (see ``job_runner``).
    """
    from mlflow.environment_variables import MLFLOW_GATEWAY_URI, MLFLOW_TRACKING_URI
    from mlflow.server.constants import (
        ARTIFACT_ROOT_ENV_VAR,
        BACKEND_STORE_URI_ENV_VAR,
        MLFLOW_SERVER_UP_TIME,
    )

    started = launch.current()
    host, port = runtime.address() or (started.params["host"], started.params["port"])
    uri = f"http://{host}:{port}"
    # A worker's own tracking URI is the database: upstream's store sets it. The jobs' is this server.
    environment = {
        **os.environ,
        **started.env,
        "MLFLOW_SERVER_PID": str(runtime.arbiter_pid()),
        "MLFLOW_BACKEND_STORE_URI": started.env[BACKEND_STORE_URI_ENV_VAR],
        MLFLOW_TRACKING_URI.name: uri,
    }
    if not is_first:
        environment[MLFLOW_SERVER_UP_TIME] = str(int(time.time() * 1000))
    if ARTIFACT_ROOT_ENV_VAR in started.env:
        environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = started.env[ARTIFACT_ROOT_ENV_VAR]
    if not MLFLOW_GATEWAY_URI.is_set():
        environment[MLFLOW_GATEWAY_URI.name] = uri
    return environment
