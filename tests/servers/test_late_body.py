"""A body that arrives after its headers, as clients send it: in a packet of its own."""

from __future__ import annotations

import json
import socket

import pytest

from tests.support.databases import SqliteDatabases
from tests.support.http import json_request, send
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

SEARCH = "/api/2.0/mlflow/runs/search"
BODIES: dict[str, object] = {
    SEARCH: {"experiment_ids": ["0"]},
    "/graphql": {"query": "{__typename}"},
    "/api/2.0/mlflow/experiments/create": {"name": "late"},
    "/api/2.0/mlflow/runs/log-batch": {},
}
STATUSES = {"/api/2.0/mlflow/runs/log-batch": 400}


@pytest.fixture(scope="module")
def server(sqlite_databases: SqliteDatabases, module_ours: ServerFactory) -> RunningServer:
    """Our server with one worker, which takes requests in the order in which they come."""
    return module_ours("--backend-store-uri", sqlite_databases.fresh())


@pytest.mark.parametrize("path", BODIES)
def test_a_body_after_its_headers_is_read(server: RunningServer, path: str) -> None:
    body = json.dumps(BODIES[path]).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode())
        # One that takes the longest way and was sent later is answered: the first one is at its body by now.
        assert send(server.port, json_request("POST", SEARCH, BODIES[SEARCH])).status == 200
        client.sendall(body)
        with client.makefile("rb") as answer:
            assert int(answer.readline().split()[1]) == STATUSES.get(path, 200)
