"""The handlers of log-metric and log-batch: what the client sends is fast, and each request is counted once."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from mlflow_accel import counters
from mlflow_accel.handlers import metrics
from mlflow_accel.kernels.batch import Batch

RUN = "0123456789abcdef" * 2
HANDLERS: dict[str, Callable[[bytes, Any], bytes | None]] = {
    "log_metric": metrics.log_metric,
    "log_batch": metrics.log_batch,
}
ENDPOINTS = pytest.mark.parametrize("endpoint", HANDLERS)


class Store:
    """Keeps the batches that it is to write, and answers with one outcome."""

    def __init__(self, outcome: str = "fast") -> None:
        self.outcome = outcome
        self.batches: list[Batch] = []

    def write(self, batch: Batch) -> str:
        self.batches.append(batch)
        return self.outcome


def body(endpoint: str, **changes: Any) -> bytes:
    metric = {"key": "loss", "value": 0.5, "timestamp": 1, "step": 0}
    whole = {"run_id": RUN, **metric} if endpoint == "log_metric" else {"run_id": RUN, "metrics": [metric]}
    return json.dumps(whole | changes).encode()


@pytest.fixture
def counted() -> Callable[[], dict[str, dict[str, int]]]:
    """What was counted since the test began."""
    before = counters.here()

    def since() -> dict[str, dict[str, int]]:
        now = counters.here()
        changes = {e: {o: n - before[e].get(o, 0) for o, n in now[e].items()} for e in now}
        return {
            e: {o: n for o, n in found.items() if n} for e, found in changes.items() if any(found.values())
        }

    return since


@ENDPOINTS
def test_what_is_written_is_answered(endpoint: str, counted: Any) -> None:
    store = Store()
    assert HANDLERS[endpoint](body(endpoint), store) == b"{}"
    assert [batch.keys for batch in store.batches] == [["loss"]]
    assert counted() == {endpoint: {"fast": 1}}


@ENDPOINTS
@pytest.mark.parametrize("outcome", ["run", "conflict", "database"])
def test_what_the_store_declines_is_declined(endpoint: str, outcome: str, counted: Any) -> None:
    assert HANDLERS[endpoint](body(endpoint), Store(outcome)) is None
    assert counted() == {endpoint: {outcome: 1}}


@ENDPOINTS
@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"extra": 1}, "body"), ({"run_id": None}, "body"), ({"run_id": "x"}, "key")],
)
def test_what_is_odd_never_reaches_the_store(
    endpoint: str, changes: dict[str, Any], reason: str, counted: Any
) -> None:
    store = Store()
    assert HANDLERS[endpoint](body(endpoint, **changes), store) is None
    assert store.batches == []
    assert counted() == {endpoint: {reason: 1}}


@ENDPOINTS
@pytest.mark.parametrize("raw", [b"", b"{", b'{"run_id":"\xff"}', b"null", b"[" * 100_000])
def test_what_is_no_body_is_declined(endpoint: str, raw: bytes, counted: Any) -> None:
    assert HANDLERS[endpoint](raw, Store()) is None
    assert counted() == {endpoint: {"body": 1}}


def test_two_runs_in_one_body_are_declined(counted: Any) -> None:
    assert metrics.log_metric(body("log_metric", run_uuid="f" * 32), Store()) is None
    assert metrics.log_metric(body("log_metric", run_uuid=RUN), Store()) == b"{}"
    assert counted() == {"log_metric": {"body": 1, "fast": 1}}


def test_an_error_of_the_store_is_raised(counted: Any) -> None:
    class Broken:
        def write(self, batch: Batch) -> str:
            raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        metrics.log_metric(body("log_metric"), Broken())
    assert counted() == {}


@pytest.fixture
def client() -> Iterator[tuple[MlflowClient, Store]]:
    """MLflow's own client, before an HTTP server that has our handlers and nothing else."""
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            endpoint = self.path.rsplit("/", 1)[1].replace("-", "_")
            answer = HANDLERS[endpoint](self.rfile.read(int(self.headers["Content-Length"])), store)
            self.send_response(400 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer or b"{}")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield MlflowClient(f"http://127.0.0.1:{server.server_port}"), store
        server.shutdown()
        thread.join()


def test_the_clients_own_calls_are_fast(client: tuple[MlflowClient, Store], counted: Any) -> None:
    mlflow, store = client
    mlflow.log_metric(RUN, "loss", 0.5, timestamp=1, step=2)
    mlflow.log_metric(RUN, "loss", math.nan, synchronous=True)
    mlflow.log_metric(RUN, "loss", -math.inf)
    mlflow.log_metric(RUN, "acc", 1, model_id="m-" + "0" * 32, dataset_name="d", dataset_digest="1")
    mlflow.log_batch(
        RUN,
        metrics=[
            Metric("a", 1.0, 1, 0),
            Metric("b", math.nan, 2, 1, run_id=RUN),
            Metric("c", math.inf, 3, -1, model_id="m-1", dataset_name="d", dataset_digest="1", run_id=RUN),
        ],
        params=[Param("p", "1"), Param("q/r", "é"), Param("empty", "")],
        tags=[RunTag("mlflow.source.name", "train.py"), RunTag("empty", "")],
    )
    assert counted() == {"log_metric": {"fast": 4}, "log_batch": {"fast": 1}}
    one, nan, infinite, of_model, batch = store.batches
    assert (one.values, one.timestamps, one.steps) == ([0.5], [1], [2])
    assert (nan.values, nan.nans) == ([0.0], [True])
    assert infinite.values == [-1.7976931348623157e308]
    assert (of_model.model_ids, of_model.dataset_digests) == (["m-" + "0" * 32], ["1"])
    assert batch.keys == ["a", "b", "c"]
    assert batch.model_ids == [None, None, "m-1"]
    assert batch.params == [("p", "1"), ("q/r", "é"), ("empty", "")]
    assert batch.tags == [("mlflow.source.name", "train.py"), ("empty", "")]
    assert batch.rows == 9
