"""Our view functions, put in the place of upstream's in the Flask app's own table.

Each is a factory: it takes upstream's view and returns ours, which calls upstream's for whatever it declines.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, has_request_context, request
from mlflow.server import handlers as upstream
from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR

from mlflow_accel import counters
from mlflow_accel.handlers import experiments, histories, lineage, metrics, run_lifecycle, runs, tags
from mlflow_accel.handlers.routes import Route
from mlflow_accel.store.accelerated import AcceleratedTracking

View = Callable[..., Any]

MODULES = (metrics, tags, run_lifecycle, lineage, runs, experiments, histories)

ROUTES: dict[str, Route] = {route.endpoint: route for module in MODULES for route in module.ROUTES}
"""By Flask endpoint, every route that has a fast path."""

CHECKED = {"POST", "PUT"}
"""The methods of which upstream checks the content type."""

DECLINED = "mlflow_accel.declined"
"""In the WSGI environment: the fast lane has asked the handler already, and counted why not."""

ERROR = "mlflow_accel.error"
"""In the WSGI environment: the exception that the handler raised in the fast lane, for upstream to put in words."""


def is_plain_json(content_type: str) -> bool:
    """Return whether upstream takes a body of this content type; it compares case and all, up to ';'."""
    return content_type.partition(";")[0] == "application/json"


def store() -> AcceleratedTracking | None:
    """Return the tracking store of this server, or None where it is not ours (a file store, a plugin's)."""
    found = upstream._get_tracking_store()
    return found if isinstance(found, AcceleratedTracking) else None


def readable(experiment_ids: list[str]) -> list[str]:
    """Return those of the experiments that the sender may read: basic-auth's own function says so, where it is on."""
    auth = sys.modules.get("mlflow.server.auth")
    if auth is None or not has_request_context() or not auth.auth_config:
        return experiment_ids
    return auth.filter_experiment_ids(experiment_ids)  # type: ignore[no-any-return]


runs.readable = readable


def fast(route: Route) -> Callable[[View], View]:
    """Return what makes a view of ours from upstream's of ``route``."""

    def factory(original: View) -> View:
        if os.environ.get(ARTIFACTS_ONLY_ENV_VAR):
            return original

        @upstream.catch_mlflow_exception  # type: ignore[untyped-decorator]
        @functools.wraps(original)
        def view(**arguments: str) -> Any:
            if DECLINED in request.environ or request.method not in route.handlers:
                return original(**arguments)
            if ERROR in request.environ:
                raise request.environ[ERROR]
            if request.method in CHECKED and not is_plain_json(request.content_type or ""):
                counters.count(route.name, "headers")
                return original(**arguments)
            sent = request.query_string if request.method == "GET" else request.get_data()
            answer = route.ask(request.method, sent, store(), arguments)
            return original(**arguments) if answer is None else Response(answer, mimetype="application/json")

        return view  # type: ignore[no-any-return]

    return factory


# The replacements that the descriptors in patches/ name: `log_metric` and so on, one for each route.
globals().update({route.name: fast(route) for route in ROUTES.values()})


def health(original: View) -> View:
    """Answer ``/health`` as the default server does: plain text to GET, and Flask's HTML to HEAD."""

    @functools.wraps(original)
    def view() -> Any:
        if request.method == "HEAD":
            return original()
        body, status = original()
        return Response(body, status, mimetype="text/plain")

    return view


def server_info(original: View) -> View:
    """Answer server info as the default server does: compact, in the payload's own order."""

    @upstream.catch_mlflow_exception  # type: ignore[untyped-decorator]
    @functools.wraps(original)
    def view() -> Response:
        return Response(
            msgspec.json.encode(upstream.build_server_info_payload()), mimetype="application/json"
        )

    return view  # type: ignore[no-any-return]
