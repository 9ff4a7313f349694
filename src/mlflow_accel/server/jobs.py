"""Upstream's job runner, started by the first worker in need of it, once for the server.

Upstream starts it with the server, always: some nine processes that hold a gigabyte while there is nothing to run.
"""

from __future__ import annotations

import functools
import logging
import shutil
from collections.abc import Callable
from typing import Any

from mlflow_accel.server import launch, runtime

_logger = logging.getLogger(__name__)


def create_job(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the job store's ``create_job``: the runner runs before the job's row is there.

    The runner takes up every unfinished job that is older than itself. Started after the row, it would run that job,
    and so would the queue that the job is put into next.
    """

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
        start_runner()
        return saved

    return upsert


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
    """Start the job runner, unless one of this server's workers has and it is alive."""
    if not enabled():
        return
    with runtime.locked("jobs") as file:
        if runtime.is_alive(file.read()):
            return
        from mlflow.server.jobs.utils import _launch_job_execution_runner

        process = _launch_job_execution_runner(_environment(), runtime.arbiter_pid())
        file.truncate(0)
        file.write(str(process.pid))
        _logger.info("Started MLflow's job runner (pid %s).", process.pid)


def _environment() -> dict[str, str]:
    """Return what upstream adds to the runner's environment."""
    from mlflow.environment_variables import MLFLOW_GATEWAY_URI, MLFLOW_TRACKING_URI
    from mlflow.server.constants import ARTIFACT_ROOT_ENV_VAR, BACKEND_STORE_URI_ENV_VAR

    started = launch.current()
    host, port = runtime.address() or (started.params["host"], started.params["port"])
    uri = f"http://{host}:{port}"
    # A worker's own tracking URI is the database: upstream's store sets it. The jobs' is this server.
    environment = {
        **started.env,
        "MLFLOW_BACKEND_STORE_URI": started.env[BACKEND_STORE_URI_ENV_VAR],
        MLFLOW_TRACKING_URI.name: uri,
    }
    if ARTIFACT_ROOT_ENV_VAR in started.env:
        environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = started.env[ARTIFACT_ROOT_ENV_VAR]
    if not MLFLOW_GATEWAY_URI.is_set():
        environment[MLFLOW_GATEWAY_URI.name] = uri
    return environment
