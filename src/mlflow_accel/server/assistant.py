"""What the web interface asks of the assistant on every page, answered here, so that opening a page wakes nothing.

Upstream's own functions answer. They are written for an event loop, and await nothing.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from flask import Flask, Response, request
from mlflow.server.handlers import _add_static_prefix

from mlflow_accel.server import companion, forward

CONFIG, PROVIDERS = (f"/ajax-api/3.0/mlflow/assistant/{name}" for name in ("config", "providers"))


def register(app: Flask) -> frozenset[tuple[str, str]]:
    """Add the routes to ``app``; return the methods and paths of those that the companion is then not asked for."""
    paths = {_add_static_prefix(CONFIG): config, _add_static_prefix(PROVIDERS): providers}
    for path, view in paths.items():
        app.add_url_rule(path, endpoint=f"mlflow_accel.{view.__name__}", view_func=view, methods=["GET"])
    return frozenset(("GET", path) for path in paths)


def config() -> Any:
    """Answer what the assistant's settings are."""
    # PERF: FastAPI, 0.3 s and 9 MB: in the workers of whom a browser asks, not in the arbiter at each start.
    from mlflow.server.assistant import api
    from starlette.requests import Request

    client, _ = forward.origin(request.environ)
    return _answered(api.get_config(Request({"type": "http", "client": client, "headers": []})))


def providers() -> Any:
    """Answer which providers the assistant could use."""
    from mlflow.server.assistant import api

    return _answered(api.get_providers())


def _answered(asked: Coroutine[Any, Any, Any]) -> Any:
    """Return what upstream's function returns, or decline to the companion if it wants to wait for something."""
    from mlflow_accel.server import asgi_answers

    try:
        found = asgi_answers.returned(asked)
    except RuntimeError:
        return companion.answer
    return Response(found.model_dump_json(), mimetype="application/json")
