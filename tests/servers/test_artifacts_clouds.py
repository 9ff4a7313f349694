"""Artifacts in Google Cloud Storage and Azure Blob Storage, by their emulators, through a gevent worker."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import emulators
from tests.support.databases import SqliteDatabases
from tests.support.emulators import ACCOUNT, AZURITE, CONTAINER
from tests.support.http import Request, send
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

FOLDER = "/api/2.0/mlflow-artifacts/artifacts/0/x"
LARGE = os.urandom(20_000_000)
"""Three parts, or chunks."""

STORES = {
    "gcs": (emulators.gcs, f"gs://{CONTAINER}/root"),
    "azure": (emulators.azure, f"wasbs://{CONTAINER}@{ACCOUNT}.blob.core.windows.net/root"),
}


@pytest.fixture(
    scope="module",
    params=[
        "gcs",
        pytest.param(
            "azure",
            marks=pytest.mark.skipif(
                AZURITE is None, reason="azurite-blob is missing: npm install --global azurite"
            ),
        ),
    ],
)
def server(
    request: pytest.FixtureRequest,
    sqlite_databases: SqliteDatabases,
    module_ours: ServerFactory,
    new_directory: Callable[[], Path],
) -> Iterator[RunningServer]:
    """Our server with one worker, and its artifacts in the cloud."""
    start, destination = STORES[request.param]
    with ExitStack() as stack:
        environment = stack.enter_context(start(new_directory()))
        options = ("--backend-store-uri", sqlite_databases.fresh(), "--artifacts-destination", destination)
        yield module_ours(*options, env=environment)


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_what_is_uploaded_is_downloaded(server: RunningServer, content: bytes) -> None:
    path = f"{FOLDER}/file.txt"
    for sent in (b"something else", content):
        assert send(server.port, Request("PUT", path, body=sent)).status == 200
    whole = send(server.port, Request("GET", path))
    assert (whole.status, whole.body == content) == (200, True)
    assert whole.header("Content-Length") == [str(len(content))]
    assert whole.header("Content-Type") == ["text/plain"]
    assert whole.header("ETag")
    if content:
        part = send(
            server.port, Request("GET", path, {"Range": "bytes=1-", "If-Range": whole.header("ETag")[0]})
        )
        assert (part.status, part.body == content[1:]) == (206, True)
    beyond = send(server.port, Request("GET", path, {"Range": f"bytes={len(content)}-"}))
    assert (beyond.status, beyond.header("Content-Range")) == (416, [f"bytes */{len(content)}"])


def test_an_upload_in_chunks(server: RunningServer) -> None:
    path = f"{FOLDER}/chunks.bin"
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (LARGE, b"more", b"")]
    chunked = Request("PUT", path, {"Transfer-Encoding": "chunked"})
    assert send(server.port, chunked, pieces=lambda: iter(chunks)).status == 200
    assert send(server.port, Request("GET", path)).body == LARGE + b"more"


def test_a_broken_upload_stores_nothing(server: RunningServer) -> None:
    path = f"{FOLDER}/broken/x.bin"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n".encode() + LARGE
        )
    # The worker has taken up the first part, and then the end, before it answers to another.
    assert send(server.port, Request("PUT", f"{FOLDER}/other", body=LARGE)).status == 200
    assert send(server.port, Request("GET", path)).status >= 400


def test_what_is_missing_is_told_by_upstream(server: RunningServer) -> None:
    assert send(server.port, Request("GET", f"{FOLDER}/nothing")).status >= 400
    assert send(server.port, Request("GET", f"{FOLDER}/../nothing")).status == 400
