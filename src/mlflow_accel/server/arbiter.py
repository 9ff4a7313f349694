"""gunicorn inside the process of ``mlflow-accel server``."""

from __future__ import annotations

import shlex
import sys
from typing import Any, NoReturn

from gunicorn.app.wsgiapp import WSGIApplication

from mlflow_accel.server.launch import Launch

DEFAULT_WORKERS = 4
"""As many as upstream starts."""


class _Application(WSGIApplication):  # type: ignore[misc]
    """gunicorn's own application, with the arguments of a gunicorn command line given to it."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        super().__init__("%(prog)s [OPTIONS]", prog="gunicorn")

    def load_config(self) -> None:
        # gunicorn reads sys.argv. The real one is kept for everybody else: on SIGUSR2 gunicorn starts it again.
        real, sys.argv = sys.argv, ["gunicorn", *self._arguments]
        try:
            super().load_config()
        finally:
            sys.argv = real


def arguments(params: dict[str, Any]) -> list[str]:
    """Return gunicorn's command line for the options of ``mlflow-accel server``.

    ``--gunicorn-opts`` come last, so that they win.
    """
    host = f"[{params['host']}]" if ":" in params["host"] else params["host"]
    dev = ["--reload", "--log-level", "debug"] if params["dev"] else []
    return [
        *("-c", "python:mlflow_accel.server.gunicorn_conf"),
        *("-b", f"{host}:{params['port']}"),
        *("-w", str(params["workers"] or DEFAULT_WORKERS)),
        *dev,
        *shlex.split(params["gunicorn_opts"] or ""),
    ]


def run(launch: Launch) -> NoReturn:
    """Serve until a signal ends it; raises ``SystemExit`` with the arbiter's exit code."""
    application = _Application(arguments(dict(launch.params)))
    if launch.params["dev"]:
        # Reloading means importing again, and a preloaded application is imported once.
        application.cfg.set("preload_app", False)
    application.run()
    sys.exit(0)
