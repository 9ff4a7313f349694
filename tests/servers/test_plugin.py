"""What stands between a client and a route stands between it and an accelerated route, too."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import accelerated
from tests.servers.counting import Counting
from tests.servers.plugins import installed
from tests.support.databases import SqliteDatabases
from tests.support.http import Answer, Request, json_request, send
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

RUN = "/api/2.0/mlflow/runs/get"
PASS = {"X-Pass": "yes"}

REFUSING = """
from flask import request

from mlflow.server import app


@app.before_request
def refuse():
    if request.path != "/health" and request.headers.get("X-Pass") != "yes":
        return "refused by the plugin", 418


def create_app():
    return app
"""

ASGI = """
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from mlflow.server.fastapi_app import create_fastapi_app

app = create_fastapi_app()


@app.middleware("http")
async def refuse(request: Request, call_next):
    if request.url.path != "/health" and request.headers.get("X-Pass") != "yes":
        return PlainTextResponse("refused by the plugin", 418)
    return await call_next(request)
"""

TAGGING = """
from mlflow.entities import RunTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


class TaggingStore(SqlAlchemyStore):
    def log_metric(self, run_id, metric):
        super().log_metric(run_id, metric)
        self.set_tag(run_id, RunTag("log_metric", "plugged"))

    def log_batch(self, run_id, metrics, params, tags):
        super().log_batch(run_id, metrics, params, [*tags, RunTag("log_batch", "plugged")])


def build(store_uri, artifact_uri=None):
    return TaggingStore(store_uri.replace("plugged:", "sqlite:"), artifact_uri or "mlflow-artifacts:/")
"""


def created(answer: Answer) -> str:
    """Return the id of the run that was created."""
    assert answer.status == 200, answer.body
    found: Any = answer.json()
    return str(found["run"]["info"]["run_id"])


def answers_fast(server: RunningServer, headers: dict[str, str]) -> None:
    """Ask each accelerated route once, with ``headers``: each is answered, and counted, fast."""
    run_id = created(send(server.port, accelerated.new_run(headers)))
    counting = Counting(server)
    assert {send(server.port, request).status for request in accelerated.requests(run_id, headers)} == {200}
    assert counting.counts() == accelerated.FAST


def checks_host_and_origin(server: RunningServer, headers: dict[str, str]) -> None:
    """Ask each accelerated route as a page elsewhere would, with ``headers``: each refuses."""
    run_id = created(send(server.port, accelerated.new_run(headers)))
    counting = Counting(server)
    elsewhere = accelerated.requests(run_id, headers | {"Host": "elsewhere.example"})
    foreign = accelerated.requests(run_id, headers | {"Origin": "http://elsewhere.example"})
    # What is only got may be got from anywhere; whether the page then sees it is the browser's affair.
    refused = elsewhere + [request for request in foreign if request.method != "GET"]
    assert {send(server.port, request).status for request in refused} == {403}
    assert counting.counts() == {}


@pytest.fixture(scope="module", params=["app", "create_app"])
def refusing(
    request: pytest.FixtureRequest,
    module_ours: ServerFactory,
    sqlite_databases: SqliteDatabases,
    runtime_directory: dict[str, str],
    new_directory: Callable[[], Path],
) -> RunningServer:
    """Our server with an app plugin, an application or a factory, that lets nothing pass without a header."""
    env = installed(new_directory(), REFUSING, "mlflow.app", f"refusing = plugged:{request.param}")
    uri = sqlite_databases.fresh()
    return module_ours("--backend-store-uri", uri, "--app-name", "refusing", env=env | runtime_directory)


def test_an_app_plugins_hook_guards_every_accelerated_route(refusing: RunningServer) -> None:
    run_id = created(send(refusing.port, accelerated.new_run(PASS)))
    counting = Counting(refusing)
    refused = [send(refusing.port, request) for request in accelerated.requests(run_id)]
    assert {(answer.status, answer.body) for answer in refused} == {(418, b"refused by the plugin")}
    assert counting.counts() == {}
    run = send(refusing.port, Request("GET", f"{RUN}?run_id={run_id}", PASS))
    assert b"loss" not in run.body


def test_an_app_plugins_requests_are_answered_fast(refusing: RunningServer) -> None:
    answers_fast(refusing, PASS)


def test_an_app_plugin_is_served_behind_the_security_checks(refusing: RunningServer) -> None:
    checks_host_and_origin(refusing, PASS)


@pytest.fixture(scope="module")
def refusing_asgi(
    module_ours: ServerFactory,
    sqlite_databases: SqliteDatabases,
    runtime_directory: dict[str, str],
    new_directory: Callable[[], Path],
) -> RunningServer:
    """Our server with an app plugin that is an ASGI application around upstream's."""
    env = installed(new_directory(), ASGI, "mlflow.app", "refusing = plugged:app")
    uri = sqlite_databases.fresh()
    return module_ours("--backend-store-uri", uri, "--app-name", "refusing", env=env | runtime_directory)


def test_an_asgi_plugin_guards_every_accelerated_route(refusing_asgi: RunningServer) -> None:
    run_id = created(send(refusing_asgi.port, accelerated.new_run(PASS)))
    counting = Counting(refusing_asgi)
    refused = [send(refusing_asgi.port, request) for request in accelerated.requests(run_id)]
    assert {(answer.status, answer.body) for answer in refused} == {(418, b"refused by the plugin")}
    assert counting.counts() == {}


def test_an_asgi_plugins_requests_are_answered_fast(refusing_asgi: RunningServer) -> None:
    answers_fast(refusing_asgi, PASS)


def test_an_asgi_plugin_is_served_without_gevent_and_says_so(refusing_asgi: RunningServer) -> None:
    assert refusing_asgi.output().count("is an ASGI application") == 1
    models = Request("GET", "/gateway/mlflow/v1/models")
    assert send(refusing_asgi.port, models).status == 418
    passed = send(refusing_asgi.port, Request("GET", models.path, PASS))
    assert (passed.status, passed.json()) == (200, {"object": "list", "data": []})


@pytest.mark.parametrize("scheme", ["plugged", "sqlite"])
def test_a_plugins_tracking_store_keeps_its_own_methods(
    scheme: str,
    ours: ServerFactory,
    sqlite_uri: str,
    runtime_directory: dict[str, str],
    tmp_path: Path,
) -> None:
    env = installed(tmp_path, TAGGING, "mlflow.tracking_store", f"{scheme} = plugged:build")
    uri = sqlite_uri.replace("sqlite:", f"{scheme}:")
    server = ours("--backend-store-uri", uri, "--registry-store-uri", sqlite_uri, env=env | runtime_directory)
    run_id = created(send(server.port, accelerated.new_run()))
    counting = Counting(server)

    assert {send(server.port, request).status for request in accelerated.requests(run_id)} == {200}
    asked = {endpoint: counts["fast"] for endpoint, counts in accelerated.FAST.items()}
    assert counting.counts() == {endpoint: {"store": number} for endpoint, number in asked.items()}
    run: Any = send(server.port, Request("GET", f"{RUN}?run_id={run_id}")).json()
    tags = {tag["key"]: tag["value"] for tag in run["run"]["data"]["tags"]}
    assert {"log_metric": "plugged", "log_batch": "plugged", "team": "tests"}.items() <= tags.items()


PASSWORD = "correct horse battery"


def basic(user: str) -> dict[str, str]:
    """Return the header with which ``user`` signs in; everyone's password is the same."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()}


@pytest.fixture(scope="module")
def guarded(
    module_ours: ServerFactory, sqlite_databases: SqliteDatabases, runtime_directory: dict[str, str]
) -> RunningServer:
    """Our server with basic-auth, an administrator and a user ``reader``, who may only read."""
    uri = sqlite_databases.fresh()
    env = {"MLFLOW_FLASK_SERVER_SECRET_KEY": "secret", "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD}
    server = module_ours("--backend-store-uri", uri, "--app-name", "basic-auth", env=env | runtime_directory)
    user = {"username": "reader", "password": PASSWORD}
    new_user = json_request("POST", "/api/2.0/mlflow/users/create", user, basic("admin"))
    assert send(server.port, new_user).status == 200
    return server


@pytest.mark.parametrize(
    ("headers", "status", "reads"),
    [
        ({}, 401, True),
        ({"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="}, 401, True),
        (basic("reader"), 403, False),
    ],
    ids=["nobody", "a stranger", "a reader"],
)
def test_basic_auth_guards_every_accelerated_route(
    guarded: RunningServer, headers: dict[str, str], status: int, reads: bool
) -> None:
    run_id = created(send(guarded.port, accelerated.new_run(basic("admin"))))
    counting = Counting(guarded)
    refused = [send(guarded.port, request) for request in accelerated.requests(run_id, headers, reads=reads)]
    assert {answer.status for answer in refused} == {status}
    assert counting.counts() == {}


def test_basic_auths_requests_are_answered_fast(guarded: RunningServer) -> None:
    answers_fast(guarded, basic("admin"))


def test_basic_auth_is_served_behind_the_security_checks(guarded: RunningServer) -> None:
    checks_host_and_origin(guarded, basic("admin"))
