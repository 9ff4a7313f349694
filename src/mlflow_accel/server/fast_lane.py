"""The fast lane: the hot requests, answered before Flask.

It fails closed. It exists only if what Flask would run around a hot view is, function by function, what the lane was
written for; and it takes only the requests for which all of that would have done nothing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from flask import Flask, Response
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.exceptions import MlflowException
from mlflow.server import security, security_utils, workspace_helpers
from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR

from mlflow_accel.server import views

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class FastLane:
    """A WSGI application in front of ``app``."""

    def __init__(self, app: Flask, behind: Application) -> None:
        self.behind = behind
        # By method and path; where an argument is in the path, Flask's own rules find it.
        self._routes = {
            (method, rule.rule): (views.ROUTES[rule.endpoint], *_headers(app, rule.rule, method))
            for rule in app.url_map.iter_rules()
            if rule.endpoint in views.ROUTES and not rule.arguments
            for method in views.ROUTES[rule.endpoint].handlers.keys() & (rule.methods or set())
        }
        allowed = security.get_allowed_hosts() if _checks_host(app) else ["*"]
        # Upstream's own function, asked once per Host; bounded, as clients choose the header.
        self._allows = lru_cache(maxsize=256)(lambda host: security_utils.is_allowed_host_header(allowed, host))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        found = self._routes.get((method, environ["PATH_INFO"]))
        if found is not None and self._takes(method, environ):
            route, before, after = found
            if method == "GET":
                sent = environ["QUERY_STRING"].encode("latin-1")
            else:
                sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            try:
                answer = route.ask(method, sent, views.store(), {})
            except MlflowException as ex:
                environ[views.ERROR] = ex
            else:
                if answer is not None:
                    pieces = (answer,) if isinstance(answer, bytes) else answer
                    start_response("200 OK", [*before, ("Content-Length", str(sum(map(len, pieces)))), *after])
                    return pieces
                environ[views.DECLINED] = True
            if method != "GET":
                environ["wsgi.input"] = io.BytesIO(sent)
        return self.behind(environ, start_response)

    def _takes(self, method: str, environ: Environ) -> bool:
        if (
            "HTTP_ORIGIN" in environ
            or environ.get("SCRIPT_NAME")
            or "HTTP_X_MLFLOW_WORKSPACE" in environ
            or not self._allows(environ.get("HTTP_HOST", ""))
        ):
            return False
        if method == "GET":
            return True
        return (
            not environ["QUERY_STRING"]
            and environ.get("CONTENT_LENGTH", "").isdecimal()
            and (method not in views.CHECKED or views.is_plain_json(environ.get("CONTENT_TYPE", "")))
        )


def _headers(app: Flask, path: str, method: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the headers that a hot answer gets from Flask and its hooks, before and after its length."""
    with app.test_request_context(path, method=method) as context:
        response = app.process_response(Response(b"{}", mimetype="application/json"))
        headers = response.get_wsgi_headers(context.request.environ).to_wsgi_list()
    length = headers.index(("Content-Length", "2"))
    return headers[:length], headers[length + 1 :]


def _checks_host(app: Flask) -> bool:
    return any(f.__name__ == "validate_host" for f in app.before_request_funcs.get(None, ()))


def objection(app: Flask) -> str | None:
    """Return why there can be no fast lane in front of ``app``, or None."""
    if MLFLOW_ENABLE_WORKSPACES.get():
        return "workspaces are enabled"
    if os.environ.get(ARTIFACTS_ONLY_ENV_VAR):
        return "the server serves artifacts only"
    if getattr(app.wsgi_app, "__func__", None) is not Flask.wsgi_app:
        return "the application is wrapped in other WSGI middleware"
    for kind, functions in (
        ("before_request", app.before_request_funcs),
        ("after_request", app.after_request_funcs),
        ("teardown_request", app.teardown_request_funcs),
        ("url_value_preprocessor", app.url_value_preprocessors),
    ):
        for function in (f for group in functions.values() for f in group):
            if not _is_known(function):
                return f"unknown {kind} hook {function.__module__}.{function.__qualname__}"
    if any(handlers for by_code in app.error_handler_spec.values() for handlers in by_code.values()):
        return "the application has error handlers"
    return None


def _is_known(hook: Callable[..., Any]) -> bool:
    """Return whether ``hook`` is, by identity, one that the lane was written for."""
    import flask_cors.extension

    if hook in (
        workspace_helpers.workspace_before_request_handler,
        workspace_helpers.workspace_teardown_request_handler,
    ):
        return True
    # Closures have no identity of their own, but their code has: it is a constant of the function that makes them.
    makers = (security.init_security_middleware, flask_cors.extension.make_after_request_function)
    code = getattr(hook, "__code__", None)
    return any(constant is code for maker in makers for constant in maker.__code__.co_consts if code is not None)
