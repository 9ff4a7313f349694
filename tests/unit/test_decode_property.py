"""For any bytes, a handler either declines or understands exactly what upstream's parser and checks understand.

``MLFLOW_ACCEL_TEST_LOAD=50`` makes it 50 times as many cases.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from mlflow_accel.handlers import metrics
from mlflow_accel.kernels.batch import Batch
from mlflow_accel.server.fast_lane import FastLane
from tests.unit import bodies_strategy, reference

EXAMPLES = 1000 * int(os.environ.get("MLFLOW_ACCEL_TEST_LOAD", "1"))
HANDLERS: dict[str, Callable[[bytes, Any], bytes | None]] = {
    "log_metric": metrics.log_metric,
    "log_batch": metrics.log_batch,
}

health = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=health)
few = settings(many, max_examples=EXAMPLES // 5)
endpoints = pytest.mark.parametrize("endpoint", HANDLERS)


class Store:
    """Keeps the batch that it is to write."""

    def __init__(self) -> None:
        self.batch: Batch | None = None

    def write(self, batch: Batch) -> str:
        self.batch = batch
        return "fast"


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def columns(batch: Batch) -> dict[str, Any]:
    """What a batch says, each metric as one tuple."""
    none = [None] * len(batch.keys)
    models = (batch.model_ids or none, batch.dataset_names or none, batch.dataset_digests or none)
    rows = (batch.keys, map(bits, batch.values), batch.nans, batch.timestamps, batch.steps, *models)
    return {
        "run_id": batch.run_id,
        "metrics": list(zip(*rows, strict=True)),
        "params": batch.params,
        "tags": batch.tags,
    }


def expected(call: reference.Call) -> dict[str, Any]:
    """What upstream passes to its store, in the same form."""
    rows = []
    for metric in call.metrics:
        is_nan, value = reference.stored_value(metric.value)
        # A dataset is stored with a model's metric only.
        dataset = (metric.dataset_name, metric.dataset_digest) if metric.model_id else (None, None)
        numbers = (metric.key, bits(value), is_nan, metric.timestamp, metric.step)
        rows.append((*numbers, metric.model_id, *dataset))
    return {
        "run_id": call.run_id,
        "metrics": rows,
        "params": [(param.key, param.value) for param in call.params],
        "tags": [(tag.key, tag.value) for tag in call.tags],
    }


def check(endpoint: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Compare the two and return whether the fast path took the body."""
    store = Store()
    answer = HANDLERS[endpoint](body, store)
    if answer is None:
        assert store.batch is None
        return False
    assert answer == b"{}"
    assert store.batch is not None
    call = reference.parse(endpoint, body, monkeypatch)
    assert call is not None, f"upstream answers {body[:1000]!r} with an error"
    assert columns(store.batch) == expected(call), body[:1000]
    return True


@endpoints
@many
@given(data=st.data())
def test_the_clients_bodies_are_fast(
    endpoint: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = data.draw(bodies_strategy.BODIES[endpoint])
    body = bodies_strategy.render(node, data.draw(bodies_strategy.SPACES)).encode()
    assert check(endpoint, body, monkeypatch)


@endpoints
def test_each_odd_thing_in_each_place(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for document in bodies_strategy.FULL[endpoint]:
        node = bodies_strategy.to_node(document)
        assert check(endpoint, bodies_strategy.render(node).encode(), monkeypatch)
        for bent in bodies_strategy.bent_once(node):
            check(endpoint, bodies_strategy.encode(bodies_strategy.render(bent)), monkeypatch)


@endpoints
@many
@given(data=st.data())
def test_bent_bodies(endpoint: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch) -> None:
    check(endpoint, data.draw(bodies_strategy.bodies(endpoint)), monkeypatch)


@endpoints
@few
@given(node=bodies_strategy.JSON_VALUES)
def test_any_json(endpoint: str, node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check(endpoint, bodies_strategy.encode(bodies_strategy.render(node)), monkeypatch)


TYPES = ("application/json", "application/json; charset=utf-8", "application/json;x", "application/json ;a=b")
ODD_TYPES = ("Application/Json", " application/json", "text/plain", "application/jsonx", "", "application/json,text/plain")
HEADERS = st.fixed_dictionaries(
    {"CONTENT_TYPE": st.sampled_from(TYPES) | st.sampled_from(ODD_TYPES) | st.text(st.characters(codec="latin-1"))},
    optional={
        "HTTP_ORIGIN": st.sampled_from(["http://localhost:3000", "https://evil.example", "null", ""]),
        "HTTP_HOST": st.sampled_from(["localhost", "localhost:5000", "10.1.2.3", "evil.example", "", "[::1]:80"]),
        "HTTP_X_MLFLOW_WORKSPACE": st.sampled_from(["", " ", "team"]),
        "HTTP_CONTENT_ENCODING": st.sampled_from(["gzip", "identity"]),
        "HTTP_X_HTTP_METHOD_OVERRIDE": st.just("GET"),
        "HTTP_EXPECT": st.just("100-continue"),
        "QUERY_STRING": st.sampled_from(["", "run_id=x", "key=other"]),
        "SCRIPT_NAME": st.sampled_from(["", "/mlflow"]),
        "REQUEST_METHOD": st.sampled_from(["POST", "PUT", "GET"]),
        "CONTENT_LENGTH": st.sampled_from(["", "0", "5", "-1", "x", "\u0665"]),
    },
)


@pytest.fixture(scope="module")
def upstream_app() -> Flask:
    return reference.guarded_app()


@endpoints
@many
@given(data=st.data(), headers=HEADERS)
def test_any_headers(
    endpoint: str,
    data: st.DataObject,
    headers: dict[str, str],
    upstream_app: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the fast lane takes and the handler understands, upstream stores, behind all of its hooks."""
    lane = FastLane(upstream_app, upstream_app)
    body = bodies_strategy.render(data.draw(bodies_strategy.BODIES[endpoint])).encode()
    environ = EnvironBuilder(reference.URLS[endpoint], method="POST", data=body).get_environ() | headers
    if environ["REQUEST_METHOD"] != "POST" or not lane._takes("POST", environ):
        return
    store = Store()
    if HANDLERS[endpoint](body[: int(environ["CONTENT_LENGTH"])], store) is None:
        return
    assert store.batch is not None
    call = reference.answer(upstream_app, environ, endpoint, monkeypatch)
    assert call is not None, f"upstream answers {headers} with an error"
    assert columns(store.batch) == expected(call)


@endpoints
@few
@given(body=st.binary())
def test_any_bytes(endpoint: str, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    check(endpoint, body, monkeypatch)
