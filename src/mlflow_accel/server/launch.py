"""Run upstream's ``mlflow server`` command up to the point at which it would start a server process.

Everything before that point is upstream's own: options, environment variables, checks, banners, database creation,
auth bootstrap. At that point upstream hands over a command line and the environment that its workers need. Here that
environment becomes this process's own, and ``mlflow.server`` is loaded again under it.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from mlflow_accel import patching
from mlflow_accel.errors import ConfigurationError
from mlflow_accel.server import runtime, startup


@dataclass(frozen=True)
class Launch:
    """What upstream's command resolved.

    ``env`` for the workers, the parameters of the command, and the ``command`` line by which upstream would have
    started its default server.
    """

    env: Mapping[str, str]
    params: Mapping[str, Any]
    command: tuple[str, ...]


class _Reached(BaseException):
    """Raised where upstream would start its server; not an ``Exception``, so that nothing upstream catches it."""

    def __init__(self, command: list[str], env: Mapping[str, str]) -> None:
        self.command, self.env = command, env


def exec_cmd(cmd: list[str], *, extra_env: Mapping[str, str], **_: Any) -> NoReturn:
    """Stand in for the process launcher of upstream's ``_run_server``: carry what it was given out of it."""
    raise _Reached(cmd, extra_env)


_launch: Launch | None = None


def current() -> Launch:
    """Return this process's launch, running upstream's command with its environment variables if nobody has yet.

    This is how ``gunicorn mlflow_accel.app`` reads the same variables as the command line does.
    """
    if _launch is None:
        import mlflow.cli

        command = mlflow.cli.cli.commands["server"]
        context = command.make_context("server", [])
        with context:
            prepare(command.callback, context.params, share=True)
    assert _launch is not None
    return _launch


def prepare(callback: Callable[..., Any], params: Mapping[str, Any], share: bool = False) -> Launch:
    """Run upstream's ``server`` callback (inside its click context) and put its environment in place.

    ``share``: each worker prepares for itself, and takes over the ids and folders that the first one was given.

    Raises:
        ConfigurationError: an option that only another server understands was given.
        SystemExit: upstream refused to start; it has said why. Or its own server ran, and has ended.
    """
    global _launch
    _refuse_foreign_options(params)
    import mlflow.server
    from mlflow.server.constants import HUEY_STORAGE_PATH_ENV_VAR, MLFLOW_SERVER_UP_TIME

    from mlflow_accel.server import telemetry
    from mlflow_accel.store import registration

    if not patching.active("server.exec_cmd"):
        _run_upstream(callback, params, share)
    if runtime.is_arbiter() or not share:
        telemetry.hold()
    patching.apply_all({"attribute"})
    if patching.active("store.write"):
        registration.register()
    asked: dict[str, Any] = {}
    run_server = mlflow.server._run_server

    def without_plugin(**arguments: Any) -> None:
        asked.update(arguments)
        run_server(**{**arguments, "app_name": None})

    mlflow.server._run_server = without_plugin
    # gunicorn's options are kept from upstream, which refuses its security options beside them and would warn.
    command, env = _reach(lambda: callback(**{**params, "gunicorn_opts": None}))
    os.environ.update(env)
    # Importing mlflow.cli has already built the application, with no option set: no prefix, no security hooks.
    startup.build_routes()
    importlib.reload(mlflow.server)
    if asked["app_name"]:
        # A plugin takes hold of upstream's application when it is imported: it must find the one that is served.
        shutil.rmtree(env.get(HUEY_STORAGE_PATH_ENV_VAR, ""), ignore_errors=True)
        command, env = _reach(lambda: mlflow.server._run_server(**asked))
    env[MLFLOW_SERVER_UP_TIME] = str(int(time.time() * 1000))
    if share:
        env = runtime.share("environment", env)
    os.environ.update(env)
    _launch = Launch(env=env, params=dict(params), command=tuple(command))
    return _launch


def _reach(run: Callable[[], Any]) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment that upstream would start its server with, when ``run`` gets there."""
    import mlflow.server

    mlflow.server._exec_cmd = exec_cmd
    try:
        run()
    except _Reached as reached:
        # Auth decides by this name whether its Flask form or its FastAPI form is built.
        return reached.command, {**reached.env, "_MLFLOW_SGI_NAME": "gunicorn"}
    raise ConfigurationError("upstream's server command ended without starting a server.")


def _run_upstream(callback: Callable[..., Any], params: Mapping[str, Any], in_gunicorn: bool) -> NoReturn:
    """Run upstream's own server, as for every other seam whose upstream code nobody has reviewed yet."""
    if in_gunicorn:
        raise ConfigurationError(
            "this release of MLflow is not one that was reviewed (`mlflow-accel status` says which); install one that "
            "is, or run `mlflow server`."
        )
    callback(**params)
    sys.exit(0)


def _refuse_foreign_options(params: Mapping[str, Any]) -> None:
    if sys.platform == "win32":
        raise ConfigurationError(
            "mlflow-accel needs gunicorn, which does not run on Windows; use `mlflow server`."
        )
    for option, variable in (("uvicorn_opts", "MLFLOW_UVICORN_OPTS"), ("waitress_opts", None)):
        if params.get(option) is not None:
            flag = "--" + option.replace("_", "-")
            source = f"{flag} (or {variable})" if variable else flag
            raise click.UsageError(
                f"{source} is for another server: mlflow-accel runs gunicorn. Remove it, and pass gunicorn's options "
                "with --gunicorn-opts."
            )
