"""The workspace of one request does not reach the next one on the same connection."""

from __future__ import annotations

from tests.support.http import Connection, Request
from tests.support.servers import ServerFactory

EXPERIMENT = "/api/2.0/mlflow/experiments/get?experiment_id=0"


def test_a_workspace_is_refused_in_every_request_of_a_connection(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri)
    plain = Request("GET", EXPERIMENT)
    with_workspace = Request("GET", EXPERIMENT, {"X-MLFLOW-WORKSPACE": "other"})
    with Connection(server.port) as connection:
        answers = [connection.send(request) for request in (plain, with_workspace, plain, with_workspace)]
    assert [answer.status for answer in answers] == [200, 500, 200, 500]
    refused = answers[1].json()
    assert isinstance(refused, dict)
    assert refused["error_code"] == "FEATURE_DISABLED"
    assert answers[3].body == answers[1].body
