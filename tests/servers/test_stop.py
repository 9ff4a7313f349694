"""What a server that was asked to end leaves behind, and who can keep it from ending."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from contextlib import closing
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
