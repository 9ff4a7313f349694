"""Put the application together: upstream's Flask app under the launch's environment, with our views in it."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from mlflow_accel import patching
from mlflow_accel.server import launch, runtime, worker

_logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 1


def create_app() -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application for this process's options."""
    worker.refuse_unprepared_preload()
    application = _assemble(launch.current())
    if not runtime.is_arbiter():
        worker.describe_server(lane_objection())
        worker.enter()
    return application


def _assemble(started: launch.Launch) -> Callable[..., Iterable[bytes]]:
    from mlflow_accel.server import (
        asgi,
        cold,
        companion,
        fast_lane,
        no_auth,
        passwords,
        warmup,
    )
    from mlflow_accel.server import views as _views  # noqa: F401  (imported before the fork, not by the first request)

    app_name = started.params["app_name"]
    application = _plugin(app_name) if app_name else _upstream_app()
    passwords.install()
    if not app_name:
        no_auth.install()
    app = _upstream_app()
    patching.apply_routes(app)
    if not _is_wsgi(application):
        return asgi.served(application, app_name)
    if runtime.is_arbiter():
        warmup.run(app)
    if companion.serves(app_name):
        # With auth, who may ask is told by the form of upstream's that runs in the companion.
        is_kept = _answered_here(app) if app_name is None else lambda method, path: False
        application = companion.in_front_of(application, is_kept)
    behind = cold.Edge(app, _with_retry_after(application))
    if reason := lane_objection():
        _logger.info("Hot requests go through Flask: %s.", reason)
        return behind
    return fast_lane.FastLane(app, behind)


def _answered_here(app: Flask) -> Callable[[str, str], bool]:
    """Add to ``app`` what is upstream's FastAPI alone and needs no companion; return which methods and paths that is."""
    from mlflow_accel.server import assistant, mcp_servers, otlp

    paths = assistant.register(app) | otlp.register(app)
    is_of_mcp = mcp_servers.register(app)
    return lambda method, path: (method, path) in paths or is_of_mcp(method, path)


def lane_objection() -> str | None:
    """Return why hot requests go through Flask in this server, or None."""
    from mlflow_accel.server import fast_lane

    if launch.current().params["app_name"]:
        return "an app plugin serves"
    routes_are_ours = all(status.applied for status in patching.report() if status.seam == "route")
    if not (patching.active("server.fast_lane") and routes_are_ours):
        return "some of upstream's code is not what was reviewed"
    return fast_lane.objection(_upstream_app())


def _upstream_app() -> Flask:
    import mlflow.server

    return mlflow.server.app  # type: ignore[no-any-return]


def _plugin(name: str) -> Callable[..., Any]:
    """Return the application of an ``mlflow.app`` plugin, built as upstream builds it for gunicorn."""
    import importlib

    from mlflow.server import _find_app

    module, attribute = _find_app(name).rsplit(":", 1)
    found = getattr(importlib.import_module(module), attribute)
    application = found() if isinstance(found, types.FunctionType) else found
    return application  # type: ignore[no-any-return]


def _is_wsgi(application: Any) -> bool:
    import inspect

    if isinstance(application, Flask):
        return True
    call = application if inspect.isroutine(application) else getattr(application, "__call__", None)
    return call is not None and not inspect.iscoroutinefunction(call)


def _with_retry_after(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Tell clients when to try again after a fault of the database: 503 in upstream's JSON form."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if status.startswith("503") and ("Content-Type", "application/json") in headers:
                headers = [*headers, ("Retry-After", str(RETRY_AFTER_SECONDS))]
            return start_response(status, headers, *rest)

        return application(environ, start)

    return serve
