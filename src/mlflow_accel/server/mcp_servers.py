"""What the web interface asks of the registry of MCP servers when its pages are opened, answered here, too.

Upstream's own functions answer, and its own table of routes says which. They are plain functions, which FastAPI calls
in threads.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Set
from typing import Any

from flask import Flask, Response, request
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR
from mlflow.server.handlers import _add_static_prefix
from werkzeug.datastructures import MultiDict

from mlflow_accel.server import cold, companion

AREA = "/ajax-api/3.0/mlflow/mcp-servers"

BELOW = r"(?:/[\w.+-]+)*"
"""Paths that Flask and FastAPI read alike: without empty parts, nor anything outside of ASCII."""

ABSENT = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)

ROWS = re.compile(r"[0-9]{1,9}")


def register(app: Flask) -> Callable[[str, str], bool]:
    """Add the routes to ``app``; return which methods and paths the companion is then not asked for."""
    if os.environ.get(ARTIFACTS_ONLY_ENV_VAR) or MLFLOW_ENABLE_WORKSPACES.get():
        return lambda method, path: False
    area = _add_static_prefix(AREA)
    for rule in (area, f"{area}/<path:below>"):
        app.add_url_rule(rule, endpoint="mlflow_accel.mcp_servers", view_func=answer, methods=["GET"])
    plain = re.compile(re.escape(area) + BELOW, re.ASCII)
    return lambda method, path: method == "GET" and plain.fullmatch(path) is not None


def answer(below: str = "") -> Any:
    """Answer what is asked of the registry, or decline to the companion, an application, which Flask asks."""
    # PERF: FastAPI, as for the assistant: in the workers of whom a browser asks, not in the arbiter at each start.
    from mlflow.server.mcp_server_api import mcp_server_router
    from starlette.routing import Match

    scope = {"type": "http", "method": "GET", "path": below and f"/{below}", "root_path": "", "headers": []}
    matches = (route.matches(scope) for route in mcp_server_router.routes)
    route = next(found for match, found in matches if match is Match.FULL)
    endpoint, named = route["endpoint"], route["path_params"]
    parameters = inspect.signature(endpoint).parameters.items()
    # What a query may hold, and what FastAPI would read from one that is empty.
    defaults = {name: parameter.default.default for name, parameter in parameters if name not in named}
    given = _query(request.args, defaults.keys())
    if given is None:
        return companion.answer
    try:
        found = endpoint(**named, **defaults | given)
        return Response(found.model_dump_json(by_alias=True), mimetype="application/json")
    except MlflowException as ex:
        # A page asks for the latest version before there is one.
        return _absent(ex) if ex.error_code == ABSENT else companion.answer
    except Exception:
        # Whatever it is, upstream's form of it is FastAPI's. It only reads, and may be asked again.
        return companion.answer


def _absent(error: MlflowException) -> Response:
    from mlflow.server.mlflow_response import mlflow_exception_response

    from mlflow_accel.server import asgi_answers

    return asgi_answers.response(
        mlflow_exception_response(error, handler_name="mcp_mlflow_exception_handler")
    )


def _query(sent: MultiDict[str, str], names: Set[str]) -> dict[str, Any] | None:
    """Return the arguments that a query gives, of those called ``names``: None if it is odd, or asks for many rows."""
    values: dict[str, Any] = sent.to_dict()
    repeated = len(values) < sum(1 for _ in sent.items(multi=True))
    if repeated or not values.keys() <= names:
        return None
    if "max_results" in values:
        if not ROWS.fullmatch(values["max_results"]) or int(values["max_results"]) > cold.MANY:
            return None
        values["max_results"] = int(values["max_results"])
    if "order_by" in values:
        values["order_by"] = [values["order_by"]]
    return values
