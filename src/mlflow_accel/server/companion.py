"""Upstream's own FastAPI server beside ours, for the routes that it has in no other form.

One process for all workers: uvicorn, unpatched, behind a Unix socket in the server's runtime directory. It is started
by the first request that needs it, and again when it has died; ``companion_process`` is what runs in it.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlflow_accel.server import jobs, launch, runtime
from mlflow_accel.server.forward import Broken, Unreachable, forward

_logger = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

AREAS = (
    "/v1/traces",
    "/ajax-api/3.0/jobs/",
    "/gateway/",
    "/api/3.0/mlflow/mcp-servers",
    "/ajax-api/3.0/mlflow/mcp-servers",
    "/ajax-api/3.0/mlflow/assistant/",
)
"""Beginnings of the paths that upstream serves in FastAPI only. What is no route there is Flask's, in there too."""

JOBS = "/ajax-api/3.0/jobs/"
"""Whoever posts there stores a job."""

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods of requests that may be made twice."""

BACKLOG = 2048
"""Requests that may wait while it starts; uvicorn's own default."""

NOT_INHERITED = ("GUNICORN_", "LISTEN_", "GEVENT")
"""Beginnings of environment variables that are about our process, not about upstream's."""


def serves(app_name: str | None) -> bool:
    """Return whether upstream's FastAPI routes exist beside the app plugin ``app_name``.

    basic-auth has a FastAPI form, which guards them. Any other plugin is served as it is, and nothing beside it: its
    guard would not stand in front of the companion.
    """
    return app_name in (None, "basic-auth")


def in_front_of(application: Application, is_kept: Callable[[str, str], bool]) -> Application:
    """Return ``application`` with the companion's routes taken out of it, but for the methods and paths that it keeps."""
    from mlflow.server.handlers import _add_static_prefix

    areas = tuple(_add_static_prefix(area) for area in AREAS)

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(areas) and not is_kept(environ["REQUEST_METHOD"], path):
            return answer(environ, start_response)
        return application(environ, start_response)

    return serve


def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a WSGI request with upstream's FastAPI application: what a route of ours declines goes here.

    Nothing may have been read of the body, or ``wsgi.input`` has to begin anew. Auth, security rules and the choice of
    the workspace are upstream's, over there.
    """
    if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].endswith(JOBS):
        jobs.start_runner()
    path = _path("socket")
    try:
        try:
            return forward(path, environ, start_response)
        except Unreachable:
            start()
        except Broken:
            # Killed before it answered, or even before it took the request up, which cannot be told apart.
            if environ["REQUEST_METHOD"] not in SAFE or last_words():
                raise
            start()
        return forward(path, environ, start_response)
    except ConnectionResetError:
        raise
    except (Unreachable, Broken, OSError) as ex:
        return _refuse(start_response, ex)


def _refuse(start_response: StartResponse, error: Exception) -> Iterable[bytes]:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    reason = last_words() or f"it ended before it answered ({error})"
    message = f"The companion process, which serves this route, is not available: {reason}"
    body = MlflowException(message, error_code=TEMPORARILY_UNAVAILABLE).serialize_as_json().encode()
    start_response(
        "503 Service Unavailable", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


def last_words() -> str:
    """Return the last line of what a companion said that did not come to serve anything: '' where it did."""
    try:
        lines = _path("log").read_text(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _path(kind: str) -> Path:
    return runtime.directory(runtime.arbiter_pid()) / f"companion.{kind}"


def start() -> None:
    """Start the companion, unless one of this server's workers has.

    It can be asked at once: its socket listens before it is started, and requests wait there.
    """
    with runtime.locked("companion") as file:
        path = _path("socket")
        # Of a process that is being killed, the socket may be the last to go.
        if runtime.is_alive(file.read()) and _listens(path):
            return
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen(BACKLOG)
            process = subprocess.Popen(
                _command(listener.fileno()),
                env=_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=(listener.fileno(),),
                # Ctrl-C is for the arbiter; the companion ends after the requests that it answers.
                start_new_session=True,
            )
        file.truncate(0)
        file.write(str(process.pid))
        _logger.info("Started the companion for MLflow's FastAPI routes (pid %s).", process.pid)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


def _command(descriptor: int) -> list[str]:
    ours = (str(runtime.arbiter_pid()), str(descriptor), str(_path("log")))
    # What upstream would have run: python -m uvicorn ...
    uvicorn = launch.current().command[3:]
    return [sys.executable, "-m", "mlflow_accel.server.companion_process", *ours, *uvicorn]


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {**inherited, **launch.current().env, "_MLFLOW_SGI_NAME": "uvicorn"}
