"""What a worker does first, whichever way gunicorn was started."""

from __future__ import annotations

import os
import socket
import stat
import sys
from typing import Any

from mlflow_accel.errors import ConfigurationError
from mlflow_accel.server import jobs, runtime, status
from mlflow_accel.store import engines

_entered = 0


def enter() -> None:
    """Give this worker its counters and its threads, and look for work for the job runner."""
    from mlflow_accel import artifacts  # imports MLflow, of which the launch decides when

    global _entered
    if _entered == os.getpid():
        return
    _entered = os.getpid()
    runtime.attach()
    engines.use_threads()
    artifacts.use_threads()
    jobs.start_runner_if_needed()
    jobs.watch_runner()


def describe_server(lane_objection: str | None) -> None:
    """Say what this server is, where the arbiter cannot: it has not loaded the application."""
    runtime.describe(runtime.arbiter_pid(), status.facts(_addresses(), lane_objection))


def _addresses() -> list[Any]:
    """Return where this process listens: ``(host, port)``, or the path of a Unix socket."""
    found = []
    for name in os.listdir("/dev/fd"):
        descriptor = int(name)
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
        except OSError:  # the listing's own descriptor, closed by now
            continue
        with socket.socket(fileno=os.dup(descriptor)) as candidate:
            if candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                address = candidate.getsockname()
                found.append(address[:2] if isinstance(address, tuple) else address)
    return found


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
