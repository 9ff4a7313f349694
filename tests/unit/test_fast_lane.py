"""The fast lane: when it exists, what it takes, and that it changes nothing about an answer."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from mlflow.server import handlers, security, workspace_helpers
from mlflow.store.db import utils as upstream
from werkzeug.test import EnvironBuilder, run_wsgi_app

from mlflow_accel import counters
from mlflow_accel.server import fast_lane, views
from mlflow_accel.store.accelerated import AcceleratedStore
from mlflow_accel.store.engines import tuned_engine

PATH = "/api/2.0/mlflow/runs/log-metric"


def plain_app() -> Flask:
    """A Flask app with upstream's own hooks, and one route with a hot view."""
    app = Flask("upstream")
    security.init_security_middleware(app)
    app.before_request(workspace_helpers.workspace_before_request_handler)
    app.teardown_request(workspace_helpers.workspace_teardown_request_handler)
    app.add_url_rule(PATH, "_log_metric", views.fast(views.ROUTES["_log_metric"])(handlers._log_metric), methods=["POST"])
    return app


@pytest.fixture
def store(sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AcceleratedStore]:
    """The accelerated store, as the one that this process serves."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.setattr(upstream, "create_sqlalchemy_engine", tuned_engine(upstream.create_sqlalchemy_engine))
    made = AcceleratedStore(sqlite_uri, str(tmp_path))
    monkeypatch.setattr(handlers, "_tracking_store", made)
    yield made
    made.engine.dispose()


@pytest.fixture
def body(store: AcceleratedStore) -> bytes:
    """A metric of an active run."""
    run_id = store.create_run("0", "user", 0, [], "name").info.run_id
    return json.dumps({"run_id": run_id, "key": "m", "value": 1.0, "timestamp": 1, "step": 1}).encode()


class Behind:
    """The application behind the lane; notes whether it was asked."""

    def __init__(self, app: Flask) -> None:
        self._app, self.asked = app, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked += 1
        return self._app(environ, start_response)


def send(application: Any, body: bytes, **environ: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """Send a request and return status, headers and body."""
    built = EnvironBuilder(PATH, method="POST", data=body, content_type="application/json").get_environ()
    built |= {key: value for key, value in environ.items() if value is not None}
    for key in [key for key, value in environ.items() if value is None]:
        built.pop(key, None)
    chunks, status, headers = run_wsgi_app(application, built)
    return status, headers.to_wsgi_list(), b"".join(chunks)


def test_upstreams_own_hooks_are_known() -> None:
    assert fast_lane.objection(plain_app()) is None


def _hook(*_: Any) -> None:
    """Does nothing, but the lane cannot know."""


def _disguise(app: Flask) -> None:
    app.before_request(functools.wraps(workspace_helpers.workspace_before_request_handler)(_hook))


def _wrap(app: Flask) -> None:
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(environ, start)  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda app: app.before_request(_hook), "before_request"),
        (lambda app: app.after_request(_hook), "after_request"),
        (lambda app: app.teardown_request(_hook), "teardown_request"),
        (lambda app: app.url_value_preprocessor(_hook), "url_value_preprocessor"),
        (lambda app: app.register_error_handler(404, _hook), "error handlers"),
        (_wrap, "middleware"),
        (_disguise, "before_request"),
    ],
    ids=["before", "after", "teardown", "url values", "error handler", "middleware", "disguised"],
)
def test_anything_unknown_closes_the_lane(change: Any, reason: str) -> None:
    app = plain_app()
    change(app)
    found = fast_lane.objection(app)
    assert found is not None and reason in found


def test_workspaces_close_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert fast_lane.objection(plain_app()) == "workspaces are enabled"


def test_a_server_of_artifacts_has_no_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACTS_ONLY", "true")
    assert fast_lane.objection(plain_app()) == "the server serves artifacts only"


def test_the_answer_is_the_one_that_flask_gives(body: bytes) -> None:
    behind = Behind(plain_app())
    lane = fast_lane.FastLane(plain_app(), behind)
    assert send(lane, body) == send(behind, body)
    assert behind.asked == 1, "the lane asked Flask"


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_ORIGIN": "http://localhost"},
        {"QUERY_STRING": "x=1"},
        {"SCRIPT_NAME": "/mlflow"},
        {"HTTP_X_MLFLOW_WORKSPACE": "a"},
        {"CONTENT_TYPE": "Application/JSON"},
        {"CONTENT_TYPE": None},
        {"CONTENT_LENGTH": None, "wsgi.input_terminated": True},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": None},
        {"REQUEST_METHOD": "PUT"},
    ],
    ids=lambda environ: ",".join(f"{key}={value}" for key, value in environ.items()),
)
def test_a_request_out_of_the_ordinary_goes_through_flask(body: bytes, environ: dict[str, Any]) -> None:
    behind = Behind(plain_app())
    lane = fast_lane.FastLane(plain_app(), behind)
    assert send(lane, body, **environ) == send(plain_app(), body, **environ)
    assert behind.asked == 1


def test_a_declined_request_is_counted_once_and_answered_by_upstream(body: bytes) -> None:
    behind = Behind(plain_app())
    lane = fast_lane.FastLane(plain_app(), behind)
    before = counters.here()["log_metric"].get("body", 0)
    odd = body.replace(b'"timestamp": 1', b'"timestamp": 1.5')
    assert send(lane, odd) == send(plain_app(), odd)
    assert behind.asked == 1
    assert counters.here()["log_metric"]["body"] == before + 2, "one for the lane, one for Flask alone"


def test_a_fault_of_the_database_is_put_in_words_by_upstream(
    body: bytes, store: AcceleratedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ACCEL_POOL_TIMEOUT", "0.1")
    lane = fast_lane.FastLane(plain_app(), plain_app())
    pool: Any = store.engine.pool
    pool._timeout, pool._max_overflow = 0.1, 0
    held = [store.engine.raw_connection() for _ in range(pool.size())]
    status, _, answer = send(lane, body)
    assert status.startswith("503")
    assert json.loads(answer)["error_code"] == "TEMPORARILY_UNAVAILABLE"
    for connection in held:
        connection.close()
    assert send(lane, body)[0].startswith("200")


def test_a_body_that_breaks_off_is_left_to_upstream(body: bytes) -> None:
    lane = fast_lane.FastLane(plain_app(), plain_app())
    environ = {"wsgi.input": io.BytesIO(body[:-5]), "CONTENT_LENGTH": str(len(body))}
    assert not send(lane, body, **environ)[0].startswith("200")
