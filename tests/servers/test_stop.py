"""What a server that was asked to end leaves behind, and who can keep it from ending."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from tests.support.http import Connection, Request, json_request, send
from tests.support.servers import ServerFactory

SOON_SECONDS = 10.0


def test_the_database_file_holds_everything(ours: ServerFactory, sqlite_uri: str, tmp_path: Path) -> None:
    server = ours("--backend-store-uri", sqlite_uri, "--workers", "2")
    body = {"name": "kept"}
    assert send(server.port, json_request("POST", "/api/2.0/mlflow/experiments/create", body)).status == 200
    assert server.stop() == 0
    copied = shutil.copy(sqlite_uri.removeprefix("sqlite:///"), tmp_path)
    with closing(sqlite3.connect(copied)) as database:
        assert ("kept",) in database.execute("SELECT name FROM experiments").fetchall()


def test_an_idle_connection_does_not_keep_it_from_ending(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri)
    with Connection(server.port) as connection:
        assert connection.send(Request("GET", "/health")).status == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SOON_SECONDS) == 0


def test_who_connects_while_it_stops_does_not_keep_it_from_ending(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri)
    with ExitStack() as connections:
        server.process.send_signal(signal.SIGTERM)
        for _ in range(20):
            with suppress(ConnectionRefusedError):
                connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            time.sleep(0.05)
        assert server.process.wait(SOON_SECONDS) == 0
