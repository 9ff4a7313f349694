"""Which requests are answered by the fast path, and why others are not, by the server's own counters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from requests.adapters import HTTPAdapter

from tests.servers import journal
from tests.servers.counting import Counting
from tests.servers.journal import client_of
from tests.support.databases import Databases
from tests.support.http import Answer, Request, json_request, send
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

LOG_METRIC = "/api/2.0/mlflow/runs/log-metric"
LOG_BATCH = "/api/2.0/mlflow/runs/log-batch"
CREATE = "/api/2.0/mlflow/runs/create"
UPDATE = "/api/2.0/mlflow/runs/update"
NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def server(
    databases: Databases, module_ours: ServerFactory, runtime_directory: dict[str, str]
) -> RunningServer:
    """Our server with two workers, whose counters are summed."""
    options = ("--backend-store-uri", databases.fresh(), "--workers", "2")
    return module_ours(*options, env=runtime_directory)


@pytest.fixture
def client(server: RunningServer) -> Iterator[MlflowClient]:
    """The mlflow client, for the server."""
    with client_of(server) as client:
        yield client


@pytest.fixture
def run_id(client: MlflowClient) -> str:
    """A new run."""
    return str(client.create_run("0").info.run_id)


@pytest.fixture
def counting(server: RunningServer, run_id: str) -> Counting:
    """The server's counts from now on."""
    return Counting(server)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many requests this process sends to each path, counted where they leave it."""
    paths: Counter[str] = Counter()
    upstream = HTTPAdapter.send

    def send(self: HTTPAdapter, request: requests.PreparedRequest, *arguments: Any, **keywords: Any) -> Any:
        paths[str(request.path_url)] += 1
        return upstream(self, request, *arguments, **keywords)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return paths


def test_log_metric(client: MlflowClient, run_id: str, counting: Counting) -> None:
    for step, value in enumerate([0.5, 1, -0.0, 1e-320, math.nan, math.inf, -math.inf]):
        client.log_metric(run_id, "loss", value, timestamp=NOW, step=step)
    assert counting.counts() == {"log_metric": {"fast": 7}}
    assert len(client.get_metric_history(run_id, "loss")) == 7


def test_fluent_calls(client: MlflowClient, run_id: str, counting: Counting) -> None:
    with mlflow.start_run(run_id=run_id):
        mlflow.log_metric("loss", 0.5)
        mlflow.log_metric("val/loss: best_of-3.x", math.nan, step=-1)
        mlflow.log_metrics({"acc": 0.75, "gap": math.inf}, step=2)
        mlflow.log_params({"rate": 0.1, "depth": 3})
        mlflow.set_tags({"team": "größer", "release": "1.0"})
        mlflow.log_metric("later", 1.0, synchronous=False)
        mlflow.flush_async_logging()
    expected = {"log_metric": {"fast": 2}, "log_batch": {"fast": 4}, "update_run": {"fast": 2}}
    assert counting.written() == expected


def test_single_writes_and_the_life_of_a_run(client: MlflowClient, counting: Counting) -> None:
    run_id = client.create_run("0", tags={"team": "größer"}, run_name="first").info.run_id
    client.set_tag(run_id, "stage", "early")
    client.set_tag(run_id, "mlflow.runName", "second")
    client.log_param(run_id, "depth", 3)
    client.update_run(run_id, name="third")
    client.delete_tag(run_id, "stage")
    client.set_terminated(run_id, "FAILED", end_time=NOW)
    client.delete_run(run_id)
    client.restore_run(run_id)
    client.set_experiment_tag("0", "team", "tests")
    once = ("create_run", "log_param", "delete_tag", "delete_run", "restore_run", "set_experiment_tag")
    counted = counting.counts()
    assert {name: counted[name] for name in once} == dict.fromkeys(once, {"fast": 1})
    assert (counted["set_tag"], counted["update_run"]) == ({"fast": 2}, {"fast": 2})
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("third", "FAILED", NOW)
    assert (run.data.params, run.data.tags) == ({"depth": "3"}, {"team": "größer", "mlflow.runName": "third"})


def test_log_batch(client: MlflowClient, run_id: str, counting: Counting) -> None:
    metrics = [Metric("loss", value, NOW, step) for step, value in enumerate(journal.LOSSES)]
    metrics += [Metric(f"key {i}", i, NOW, 2**62) for i in range(900)]
    params = [Param(f"p{i}", "v") for i in range(100)]
    client.log_batch(run_id, metrics[:700], params, [RunTag("t", "ß" * 4000)])
    client.log_batch(run_id, metrics[700:])
    client.log_batch(run_id, params=params[:1])
    assert counting.counts() == {"log_batch": {"fast": 3}}


@pytest.mark.filterwarnings(*journal.TRAINING_WARNINGS)
def test_autologged_training(client: MlflowClient, counting: Counting, sent: Counter[str]) -> None:
    run_id = journal.train()
    assert sent[LOG_METRIC] > 0
    assert sent[LOG_BATCH] > 0
    routes = {"log_metric": LOG_METRIC, "log_batch": LOG_BATCH, "create_run": CREATE, "update_run": UPDATE}
    counted = counting.counts()
    assert {name: counted[name] for name in routes} == {name: {"fast": sent[path]} for name, path in routes.items()}
    assert "training_log_loss" in client.get_run(run_id).data.metrics


def test_reading_runs(client: MlflowClient, run_id: str, counting: Counting) -> None:
    """What the mlflow client asks for to read runs, and to page through them."""
    client.log_batch(run_id, [Metric("loss", math.nan, NOW, 1)], [Param("depth", "3")], [RunTag("team", "größte")])
    data = client.get_run(run_id).data
    assert math.isnan(data.metrics["loss"])
    assert (data.params, data.tags["team"]) == ({"depth": "3"}, "größte")
    first = client.search_runs(["0"], "", max_results=1, order_by=["metrics.loss DESC"])
    asked = 1
    while first.token:
        first = client.search_runs(["0"], "", max_results=1, order_by=["metrics.loss DESC"], page_token=first.token)
        asked += 1
    found = client.search_runs(["0"], "tags.team = 'größte' AND params.depth = '3'", run_view_type=ViewType.ALL)
    assert [run.info.run_id for run in found] == [run_id]
    assert not client.search_runs(["0"], "metrics.loss > 0 AND tags.team = 'größte'")
    frame = mlflow.search_runs(["0"], "tags.team = 'größte'")
    assert list(frame["run_id"]) == [run_id]
    assert counting.counts() == {
        "log_batch": {"fast": 1},
        "get_run": {"fast": 1},
        "search_runs": {"fast": asked + 3},
    }


def test_java_client(server: RunningServer, client: MlflowClient, run_id: str, counting: Counting) -> None:
    """What the Java client's protobuf printer writes: int64 as strings, and both names of the run."""
    metric = f"""{{
  "run_uuid": "{run_id}",
  "key": "loss",
  "value": 0.5,
  "timestamp": "{NOW}",
  "step": "{2**40}",
  "run_id": "{run_id}"
}}"""
    batch = f"""{{
  "run_id": "{run_id}",
  "metrics": [{{
    "key": "loss",
    "value": "NaN",
    "timestamp": "{NOW + 1}",
    "step": "{2**40 + 1}"
  }}, {{
    "key": "gap",
    "value": "-Infinity",
    "timestamp": "{NOW}",
    "step": "-1"
  }}],
  "params": [{{
    "key": "depth",
    "value": "3"
  }}],
  "tags": [{{
    "key": "team",
    "value": "java"
  }}]
}}"""
    for path, body in ((LOG_METRIC, metric), (LOG_BATCH, batch)):
        answer = send(server.port, Request("POST", path, {"Content-Type": "application/json"}, body.encode()))
        assert (answer.status, answer.body) == (200, b"{}")
    assert counting.counts() == {"log_metric": {"fast": 1}, "log_batch": {"fast": 1}}
    assert [(m.step, m.timestamp) for m in client.get_metric_history(run_id, "loss")] == [
        (2**40, NOW),
        (2**40 + 1, NOW + 1),
    ]
    assert client.get_run(run_id).data.params == {"depth": "3"}


def test_both_prefixes(server: RunningServer, run_id: str, counting: Counting) -> None:
    for path in (LOG_METRIC, LOG_BATCH):
        for prefix in ("/api", "/ajax-api"):
            assert send(server.port, _log(path.replace("/api", prefix), run_id)).status == 200
    assert counting.counts() == {"log_metric": {"fast": 2}, "log_batch": {"fast": 2}}


def _log(path: str, run_id: str, headers: dict[str, str] | None = None, **fields: Any) -> Request:
    """Return a request that logs one metric; ``fields`` are the metric's own that differ."""
    metric = {"key": "loss", "value": 0.5, "timestamp": NOW, "step": 0, **fields}
    body = metric if path.endswith("log-metric") else {"metrics": [metric]}
    return json_request("POST", path, {"run_id": run_id, **body}, headers)


@dataclass(frozen=True)
class Decline:
    """A request that is left to upstream: the reason counted, upstream's status, and how it differs."""

    reason: str
    status: int
    fields: dict[str, Any]
    headers: dict[str, str] | None = None


DECLINES = {
    "unknown run": Decline("run", 404, {"run_id": "0" * 32}),
    "non-ASCII key": Decline("key", 200, {"key": "größe"}),
    "fractional timestamp": Decline("body", 200, {"timestamp": NOW + 0.5}),
    "unknown field": Decline("body", 200, {"colour": "red"}),
    "wrong content type": Decline("headers", 400, {}, {"Content-Type": "text/plain"}),
}


@pytest.mark.parametrize("path", [LOG_METRIC, LOG_BATCH])
@pytest.mark.parametrize("what", DECLINES)
def test_declines(server: RunningServer, run_id: str, counting: Counting, path: str, what: str) -> None:
    decline = DECLINES[what]
    fields = {"run_id": run_id, **decline.fields}
    answer = send(server.port, _log(path, fields.pop("run_id"), decline.headers, **fields))
    assert counting.counts() == {path.rsplit("/", 1)[1].replace("-", "_"): {decline.reason: 1}}
    assert answer.status == decline.status, answer.body
    if answer.status != 200:
        assert "error_code" in _object(answer)


def test_changed_param(server: RunningServer, client: MlflowClient, run_id: str, counting: Counting) -> None:
    for value, status in (("1", 200), ("1", 200), ("2", 400)):
        body = {"run_id": run_id, "params": [{"key": "p", "value": value}]}
        assert send(server.port, json_request("POST", LOG_BATCH, body)).status == status
    assert counting.counts() == {"log_batch": {"fast": 2, "conflict": 1}}
    assert client.get_run(run_id).data.params == {"p": "1"}


def _object(answer: Answer) -> dict[str, Any]:
    found = answer.json()
    assert isinstance(found, dict)
    return found
