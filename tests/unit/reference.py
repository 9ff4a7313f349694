"""What upstream's own code makes of a request body: its parser and its checks, up to the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flask
import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.server import handlers, security, workspace_helpers
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import validation as untyped_validation
from werkzeug.wrappers import Response

validation: Any = untyped_validation
_APP = flask.Flask(__name__)
_VIEWS = {"log_metric": handlers._log_metric, "log_batch": handlers._log_batch}
URLS = {"log_metric": "/api/2.0/mlflow/runs/log-metric", "log_batch": "/api/2.0/mlflow/runs/log-batch"}


@dataclass
class Call:
    """What upstream's view passes to its store."""

    run_id: str
    metrics: list[Metric]
    params: list[Param] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)


class Recorder:
    """Stands where upstream's view looks for the tracking store, and keeps what it is called with."""

    def __init__(self) -> None:
        self.call: Call | None = None

    def log_metric(self, run_id: str, metric: Metric) -> None:
        self.call = Call(run_id, [metric])

    def log_batch(self, run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]) -> None:
        self.call = Call(run_id, metrics, params, tags)


def _check(endpoint: str, call: Call) -> Call:
    """Apply the checks that upstream's store makes before it opens a session; they raise, or truncate."""
    if endpoint == "log_metric":
        (m,) = call.metrics
        validation._validate_metric(m.key, m.value, m.timestamp, m.step)
        return call
    validation._validate_run_id(call.run_id)
    metrics, params, tags = validation._validate_batch_log_data(call.metrics, call.params, call.tags)
    validation._validate_batch_log_limits(metrics, params, tags)
    validation._validate_param_keys_unique(params)
    return Call(call.run_id, metrics, params, tags)


def guarded_app() -> flask.Flask:
    """Return upstream's views behind the hooks that a server has."""
    app = flask.Flask(__name__)
    security.init_security_middleware(app)
    app.before_request(workspace_helpers.workspace_before_request_handler)
    app.teardown_request(workspace_helpers.workspace_teardown_request_handler)
    for endpoint, view in _VIEWS.items():
        app.add_url_rule(URLS[endpoint], f"_{endpoint}", view, methods=["POST"])
    return app


def answer(app: flask.Flask, environ: dict[str, Any], endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Call | None:
    """Return what upstream would store for a whole request, or None where it answers with an error."""
    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(handlers, "_tracking_store", recorder)
        response = Response.from_app(app, environ)
    if response.status_code != 200 or recorder.call is None:
        return None
    return _check(endpoint, recorder.call)


def parse(endpoint: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> Call | None:
    """Return what upstream would store for ``body``, or None where it answers with an error.

    Any exception counts as an error: what upstream does not catch is a 500.
    """
    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(handlers, "_tracking_store", recorder)
        with _APP.test_request_context(
            URLS[endpoint], method="POST", data=body, content_type="application/json"
        ):
            try:
                response = _VIEWS[endpoint]()
            except Exception:
                return None
    if response.status_code != 200 or response.get_data() != b"{}" or recorder.call is None:
        return None
    try:
        return _check(endpoint, recorder.call)
    except MlflowException:
        return None


def stored_value(value: Any) -> tuple[bool, float]:
    """Return upstream's NaN flag and the double that it binds."""
    is_nan, stored = SqlAlchemyStore.sanitize_metric_value(None, value)  # type: ignore[arg-type]
    return is_nan, float(stored)
