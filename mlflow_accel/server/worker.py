"""What a worker does first, whichever way gunicorn was started."""

from __future__ import annotations

import os
import sys

from mlflow_accel.errors import ConfigurationError
from mlflow_accel.server import jobs, runtime
from mlflow_accel.store import engines

_entered = 0


def enter() -> None:
    """Give this worker its counters, let its SQLite calls run in threads, and look for work for the job runner."""
    global _entered
    if _entered == os.getpid():
        return
    _entered = os.getpid()
    runtime.attach()
    if engines.use_threads():
        import gevent

        gevent.spawn(jobs.start_runner_if_needed)
    else:
        jobs.start_runner_if_needed()


def refuse_unprepared_preload() -> None:
    """Refuse ``gunicorn --preload`` without our settings: it forks an application that holds connections and threads.

    Raises:
        ConfigurationError: with the command that works.
    """
    arbiter = sys.modules.get("gunicorn.arbiter")
    if arbiter is None or runtime.is_arbiter():
        return
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is arbiter.Arbiter.setup.__code__:
            raise ConfigurationError(
                "gunicorn's --preload needs this application's settings, which patch first and put connections away "
                "before the fork. Run: gunicorn -c python:mlflow_accel.server.gunicorn_conf mlflow_accel.app"
            )
