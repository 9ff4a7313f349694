"""A gateway endpoint whose model says one word at a time: each is passed on when it is said."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.support.databases import SqliteDatabases
from tests.support.http import json_request, send
from tests.support.processes import RunningServer
from tests.support.provider import SECONDS, Provider, provider
from tests.support.servers import ServerFactory

API = "/api/3.0/mlflow/gateway"
CHAT = "/gateway/mlflow/v1/chat/completions"
PLAIN_AND_NEAR = {
    "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http",
    "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
}
"""Providers are asked without TLS, and on this machine."""


def add_endpoint(server: RunningServer, url: str, name: str) -> None:
    """Make an endpoint of the gateway that asks the provider at ``url``."""

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = send(server.port, json_request("POST", f"{API}/{path}", body))
        assert answer.status == 200, answer
        return answer.json()

    secret = {"secret_name": name, "secret_value": {"api_key": "sk-12345678"}, "provider": "openai"}
    made = post("secrets/create", {**secret, "auth_config": {"api_base": url}})
    model = {
        "name": name,
        "secret_id": made["secret"]["secret_id"],
        "provider": "openai",
        "model_name": "talker",
    }
    definition = post("model-definitions/create", model)["model_definition"]["model_definition_id"]
    config = {"model_definition_id": definition, "linkage_type": "PRIMARY", "weight": 1.0}
    post("endpoints/create", {"name": name, "model_configs": [config]})


@pytest.fixture(scope="module")
def model() -> Iterator[Provider]:
    """A provider."""
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def server(module_ours: ServerFactory, sqlite_databases: SqliteDatabases, model: Provider) -> RunningServer:
    """Our server with an endpoint ``talk``."""
    server = module_ours("--backend-store-uri", sqlite_databases.fresh(), env=PLAIN_AND_NEAR)
    add_endpoint(server, model.url, "talk")
    return server


@pytest.fixture
def connection(server: RunningServer) -> Iterator[http.client.HTTPConnection]:
    """A connection on which the endpoint was asked for a stream."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)) as connection:
        asked = {"model": "talk", "stream": True, "messages": [{"role": "user", "content": "talk"}]}
        connection.request("POST", CHAT, json.dumps(asked), {"Content-Type": "application/json"})
        yield connection


def words(answer: http.client.HTTPResponse) -> Iterator[str]:
    """Yield the words of an answer, each as soon as it is there."""
    while line := answer.readline():
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))["choices"][0]["delta"]["content"]


def test_each_word_is_passed_on_at_once(connection: http.client.HTTPConnection, model: Provider) -> None:
    conversation = model.next()
    assert conversation.model == "talker"
    conversation.say("one")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("Content-Type", "").startswith("text/event-stream")
    assert answer.getheader("X-MLflow-Gateway-Duration-Ms", "").isdecimal()
    said = words(answer)
    assert next(said) == "one"
    for word in ("two", "three"):
        # Only now is it said, when the one before it has been heard.
        conversation.say(word)
        assert next(said) == word
    conversation.end()
    assert list(said) == []


def test_a_client_that_hangs_up_is_noticed_by_the_provider(
    connection: http.client.HTTPConnection, model: Provider
) -> None:
    conversation = model.next()
    conversation.say("one")
    assert next(words(connection.getresponse())) == "one"
    assert not conversation.hung_up.is_set()
    connection.close()
    assert conversation.hung_up.wait(SECONDS)
