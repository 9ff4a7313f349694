"""Upstream's view and our handler, asked in this process about one database."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import mlflow.server
import pytest
from flask import Flask
from mlflow.server import handlers
from mlflow.store.db import utils as upstream

from mlflow_accel import counters
from mlflow_accel.handlers.routes import Route
from mlflow_accel.store.accelerated import AcceleratedStore, AcceleratedTracking
from mlflow_accel.store.engines import tuned_engine

_app = Flask("in_process")
_views = dict(mlflow.server.app.view_functions)

Filled = tuple[AcceleratedTracking, list[str]]
"""A store on a database with rows of every kind, and its runs."""


@contextmanager
def accelerated(
    uri: str, artifacts: str, kind: type[AcceleratedTracking] = AcceleratedStore
) -> Iterator[AcceleratedTracking]:
    """Make the accelerated store of ``uri`` the one that this process serves."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # Upstream's search imports it, where Flask-WTF is there; so early, that it warns here and not in a test.
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_FLASK_SERVER_SECRET_KEY", "for the test")
        importlib.import_module("mlflow.server.auth")
        patch.setattr(upstream, "create_sqlalchemy_engine", tuned_engine(upstream.create_sqlalchemy_engine))
        store = kind(uri, artifacts)
        patch.setattr(handlers, "_tracking_store", store)
        yield store
        store.engine.dispose()


def ours(route: Route, method: str, sent: Any, store: AcceleratedTracking, **arguments: str) -> Any:
    """Return our parsed answer, or the reason for which the request was declined."""
    before = counters.here()[route.name]
    raw = urlencode(sent, doseq=True).encode() if method == "GET" else json.dumps(sent).encode()
    answer = route.ask(method, raw, store, arguments)
    after = counters.here()[route.name]
    [outcome] = [name for name, number in after.items() if number != before.get(name, 0)]
    if answer is None:
        return outcome
    assert outcome == "fast"
    return json.loads(answer if isinstance(answer, bytes) else b"".join(answer))


def theirs(route: Route, method: str, sent: Any, **arguments: str) -> tuple[int, Any]:
    """Return upstream's status and parsed answer."""
    how: Any = {"query_string": urlencode(sent, doseq=True)} if method == "GET" else {"json": sent}
    with _app.test_request_context("/", method=method, **how):
        response = _views[route.endpoint](**arguments)
        # What is no response yet is what Flask would make one of.
        response = _app.make_response(response)
        return response.status_code, json.loads(response.get_data())


def by_key(value: Any) -> Any:
    """Return ``value`` with lists in an order of their own: upstream reads them without one, except runs and points."""
    if isinstance(value, dict):
        return {
            name: sorted(map(by_key, inner), key=repr)
            if name in ("metrics", "params", "tags", "dataset_inputs", "model_inputs", "model_outputs")
            else by_key(inner)
            for name, inner in value.items()
        }
    return [by_key(item) for item in value] if isinstance(value, list) else value
