"""Every route that has a fast path, with a request that takes it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from mlflow.server import app, handlers

from mlflow_accel.server import views
from tests.support.http import Request, json_request

METRIC = {"key": "loss", "value": 0.5, "timestamp": 1_700_000_000_000, "step": 0}

WRITES: dict[str, dict[str, Any]] = {
    "_log_metric": METRIC,
    "_log_batch": {"metrics": [METRIC], "tags": [{"key": "team", "value": "tests"}]},
    "_log_param": {"key": "depth", "value": "3"},
    "_set_tag": {"key": "$prefix", "value": "tests"},
    "_delete_tag": {"key": "$prefix"},
    "_set_experiment_tag": {"run_id": ..., "experiment_id": "0", "key": "team", "value": "tests"},
    "_create_run": {"run_id": ..., "experiment_id": "0", "user_id": "someone", "start_time": 1_700_000_000_000},
    "_update_run": {"status": "FINISHED", "end_time": 1_700_000_000_000},
    "_log_inputs": {"datasets": [{"dataset": {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}}]},
    "_log_outputs": {"models": [{"model_id": "$prefix", "step": 1}]},
    "_delete_run": {},
    "_restore_run": {},
}
"""Flask endpoint to what is sent, apart from the run's id: as JSON, or with GET as the query.

``...`` takes the run's id away; ``$prefix`` is the first part of the path.
"""

READS: dict[str, dict[str, Any]] = {
    "_get_run": {},
    "_search_runs": {"run_id": ..., "experiment_ids": ["0"], "max_results": 1},
    "_get_experiment": {"run_id": ..., "experiment_id": "0"},
    "_get_experiment_by_name": {"run_id": ..., "experiment_name": "Default"},
    "_search_experiments": {"run_id": ..., "max_results": 1},
    "_get_metric_history": {"metric_key": "loss", "max_results": 1},
    "serve_get_metric_history_bulk": {"metric_key": "loss", "max_results": 1},
    "get_metric_history_bulk_interval_handler": {"metric_key": "loss", "max_results": 1},
}
"""The same for routes that change nothing: a user who may only read is answered.

They ask for little: an app plugin's server passes on what may take long.
"""

RUN = {"get_metric_history_bulk_interval_handler": "run_ids"}
"""What the run is called, where that is not ``run_id``."""

ROUTES = [
    (path, method, handler.__name__)
    for path, handler, methods in handlers.get_endpoints()
    for method in methods
    if handler.__name__ in views.ROUTES and method in views.ROUTES[handler.__name__].handlers
]
ROUTES += [
    (rule.rule, "GET", rule.endpoint)
    for rule in app.url_map.iter_rules()
    if rule.endpoint in views.ROUTES and rule.endpoint.startswith("serve_")
]
"""Path, method and Flask endpoint: those of the API and those of the web interface."""

FAST = {
    views.ROUTES[endpoint].name: {"fast": number}
    for endpoint, number in Counter(endpoint for _, _, endpoint in ROUTES).items()
}
"""What the server counts when each route is asked once."""


def requests(
    run_id: str, headers: Mapping[str, str] | None = None, *, reads: bool = True, writes: bool = True
) -> list[Request]:
    """Return one request for each route (or only for those that read, or that write), all for the run ``run_id``."""
    wanted = (WRITES if writes else {}) | (READS if reads else {})
    return [
        _request(path, method, {RUN.get(endpoint, "run_id"): run_id, **wanted[endpoint]}, headers)
        for path, method, endpoint in ROUTES
        if endpoint in wanted or endpoint not in WRITES | READS
    ]


def _request(path: str, method: str, sent: dict[str, Any], headers: Mapping[str, str] | None) -> Request:
    sent = {name: value for name, value in sent.items() if value is not ...}
    sent = json.loads(json.dumps(sent).replace("$prefix", path.split("/")[1]))
    if method == "GET":
        return Request("GET", f"{path}?{urlencode(sent, doseq=True)}", headers or {})
    return json_request(method, path, sent, headers)


def new_run(headers: Mapping[str, str] | None = None) -> Request:
    """Return the request that creates a run in experiment 0."""
    return json_request("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, headers)
