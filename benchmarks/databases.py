"""Databases for the servers: one each, made anew, on SQLite or on a PostgreSQL."""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import processes
from benchmarks.kinds import KINDS, Kind
from benchmarks.postgres import Postgres, running_postgres
from benchmarks.servers import running

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

_PINGS = (";", "SELECT 1", "-- ping")
_TRANSACTION_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "START TRANSACTION")


@dataclass(frozen=True)
class Database:
    """One database that one server works on, with the harness's own access to it."""

    uri: str
    engine: sa.Engine

    @property
    def is_postgresql(self) -> bool:
        """Whether this is PostgreSQL; else it is SQLite."""
        return self.engine.dialect.name == POSTGRESQL

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query with ``:name`` parameters."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql), values)]

    def number(self, sql: str, **values: Any) -> int:
        """Return the single number that a query answers."""
        return int(self.rows(sql, **values)[0][0])

    def execute(self, *statements: str, **values: Any) -> None:
        """Run statements in one transaction."""
        with self.engine.begin() as connection:
            for sql in statements:
                connection.execute(sa.text(sql), values)

    def empty_tables(self) -> list[str]:
        """Return the names of the tables that hold no row."""
        names = sa.inspect(self.engine).get_table_names()
        return [name for name in names if not self.number(f"SELECT count(*) FROM {name}")]

    def clear(self, tables: Sequence[str]) -> None:
        """Empty ``tables``, and remove all experiments but the default one; servers may be connected."""
        if self.is_postgresql:
            empty = [f"TRUNCATE {', '.join(tables)} CASCADE"]
        else:
            empty = [f"DELETE FROM {name}" for name in tables]
        self.execute(*empty, "DELETE FROM experiments WHERE experiment_id <> 0")

    def settle(self, *tables: str) -> None:
        """Do now what PostgreSQL would do by itself in the middle of a turn: vacuum, analyze, checkpoint.

        Without ``tables`` it does so for all of them.
        """
        if self.is_postgresql:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text(f"VACUUM (ANALYZE) {', '.join(tables)}"))
                connection.execute(sa.text("CHECKPOINT"))


@dataclass
class Statements:
    """SQL statements that PostgreSQL logged while they were counted."""

    work: int = 0
    """All that ask or tell something."""
    control: int = 0
    """Those that begin or end transactions and savepoints, or only try the connection."""


class Databases(ABC):
    """Makes databases of one kind."""

    name: str

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._templates: dict[str, str] = {}
        self._numbers = count(1)

    @abstractmethod
    def _create(self, name: str, template: str | None) -> str:
        """Make the database ``name``, a copy of ``template`` if given, and return its URI."""

    @abstractmethod
    def _drop(self, name: str) -> None: ...

    @contextmanager
    def empty(self, owner: str) -> Iterator[Database]:
        """A database without a table."""
        with self._database(owner, None) as database:
            yield database

    @contextmanager
    def with_schema(self, owner: str) -> Iterator[Database]:
        """A database as the server kind ``owner`` leaves it after its first start."""
        with self._database(owner, self._template(KINDS[owner])) as database:
            yield database

    @contextmanager
    def counted(self, database: Database) -> Iterator[Statements | None]:
        """Count the statements that ``database`` receives meanwhile; None where that cannot be known."""
        yield None

    def cpu_seconds(self) -> float | None:
        """Return the CPU seconds that the database server has used so far; None where that is not known."""
        return None

    @contextmanager
    def _database(self, owner: str, template: str | None) -> Iterator[Database]:
        name = f"bench_{re.sub(r'[^a-z0-9]', '_', owner)}_{next(self._numbers)}"
        uri = self._create(name, template)
        engine = sa.create_engine(uri, poolclass=sa.pool.NullPool)
        try:
            yield Database(uri, engine)
        finally:
            engine.dispose()
            self._drop(name)

    def _template(self, kind: Kind) -> str:
        """Return the name of the database that a first start of ``kind``, or one of its schema, has left."""
        if kind.schema not in self._templates:
            name = f"bench_template_{len(self._templates)}"
            with running(kind, self._create(name, None), 1, self._logs):
                pass
            self._templates[kind.schema] = name
        return self._templates[kind.schema]


class SqliteDatabases(Databases):
    """Files in one directory."""

    name = SQLITE

    def __init__(self, directory: Path, logs: Path) -> None:
        super().__init__(logs)
        self._directory = directory

    def _create(self, name: str, template: str | None) -> str:
        path = self._path(name)
        if template is not None:
            shutil.copyfile(self._path(template), path)
        return f"sqlite:///{path}"

    def _drop(self, name: str) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            self._path(name + ".db" + suffix, "").unlink(missing_ok=True)

    def _path(self, name: str, suffix: str = ".db") -> Path:
        return self._directory / (name + suffix)


class PostgresDatabases(Databases):
    """Databases of one PostgreSQL; the user of ``uri`` must be able to make them and to checkpoint."""

    name = POSTGRESQL

    def __init__(self, uri: str, logs: Path, server: Postgres | None = None) -> None:
        super().__init__(logs)
        self._uri = sa.make_url(uri)
        self._engine = sa.create_engine(uri, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
        self._server = server

    def _create(self, name: str, template: str | None) -> str:
        self._drop(name)
        self._run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return self._uri.set(database=name).render_as_string(hide_password=False)

    def _drop(self, name: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            for sql in statements:
                connection.execute(sa.text(sql))

    @contextmanager
    def counted(self, database: Database) -> Iterator[Statements | None]:
        # The wheel has no pg_stat_statements: for this time the server writes its statements into its log.
        if self._server is None:
            yield None
            return
        start = self._server.log.stat().st_size
        statements = Statements()
        self._run("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
        try:
            yield statements
        finally:
            self._run("ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
        with self._server.log.open("rb") as log:
            log.seek(start)
            count_statements(
                log.read().decode(errors="replace"), str(database.engine.url.database), statements
            )

    def cpu_seconds(self) -> float | None:
        return processes.cpu_seconds(processes.tree(self._server.process.pid)) if self._server else None


def count_statements(log: str, database: str, statements: Statements) -> None:
    """Add to ``statements`` those that a log with the line prefix ``%d|`` holds of ``database``."""
    logged = rf"^{re.escape(database)}\|LOG:  (?:statement|execute [^:]*): (.*)"
    for found in re.finditer(logged, log, re.MULTILINE):
        if found[1] in _PINGS or found[1].lstrip().upper().startswith(_TRANSACTION_CONTROL):
            statements.control += 1
        else:
            statements.work += 1


@contextmanager
def opened(which: str, directory: Path, logs: Path) -> Iterator[Databases]:
    """Databases of ``which``: ``sqlite`` (files in ``directory``), ``postgresql`` (started here) or a URI.

    The output of the servers that make the schemas goes to ``logs``.
    """
    if which == SQLITE:
        yield SqliteDatabases(directory, logs)
    elif which == POSTGRESQL:
        with running_postgres() as server:
            yield PostgresDatabases(server.uri(), logs, server)
    else:
        yield PostgresDatabases(which, logs)
