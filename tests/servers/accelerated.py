"""Every route that has a fast path, with a request that takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.server import handlers

from mlflow_accel.server import views
from tests.support.http import Request, json_request

METRIC = {"key": "loss", "value": 0.5, "timestamp": 1_700_000_000_000, "step": 0}
BODIES: dict[str, dict[str, Any]] = {
    "_log_metric": METRIC,
    "_log_batch": {"metrics": [METRIC], "tags": [{"key": "team", "value": "tests"}]},
}

ROUTES = [
    (path, method, handler.__name__)
    for path, handler, methods in handlers.get_endpoints()
    for method in methods
    if handler.__name__ in views.HANDLERS
]
"""Path, method and Flask endpoint: those of the API and those of the web interface."""

FAST = {
    views.HANDLERS[endpoint][0]: {"fast": sum(name == endpoint for _, _, name in ROUTES)}
    for endpoint in views.HANDLERS
}
"""What the server counts when each route is asked once."""


def requests(run_id: str, headers: Mapping[str, str] | None = None) -> list[Request]:
    """Return one request for each route, all for the run ``run_id``."""
    return [
        json_request(method, path, {"run_id": run_id, **BODIES[endpoint]}, headers)
        for path, method, endpoint in ROUTES
    ]


def new_run(headers: Mapping[str, str] | None = None) -> Request:
    """Return the request that creates a run in experiment 0."""
    return json_request("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, headers)
