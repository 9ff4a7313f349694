"""Fixtures for every test: fresh databases, and factories for upstream's server and ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import mlflow_accel
from mlflow_accel import _impl
from tests.support import mysql, postgres
from tests.support.databases import Databases, SqliteDatabases
from tests.support.mysql import MysqlDatabases
from tests.support.postgres import PostgresDatabases
from tests.support.servers import UPSTREAM, ServerFactory, ours_command


def pytest_report_header() -> list[str]:
    """Name what the results hold for."""
    return [
        f"mlflow-accel {mlflow_accel.__version__}: {_impl.implementation()}",
        f"mlflow {version('mlflow')}, SQLAlchemy {version('SQLAlchemy')}",
        f"SQLite {sqlite3.sqlite_version}, PostgreSQL {postgres.version()}",
    ]


@pytest.fixture(scope="session")
def new_directory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Make a new directory, for a server or a database file."""
    return lambda: tmp_path_factory.mktemp("made")


@pytest.fixture(scope="session")
def sqlite_databases(new_directory: Callable[[], Path]) -> SqliteDatabases:
    """SQLite files, each a copy of one that MLflow has initialised."""
    return SqliteDatabases(new_directory)


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[PostgresDatabases]:
    """Databases of one PostgreSQL server, each a copy of one that MLflow has initialised."""
    databases = PostgresDatabases()
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def mysql_databases() -> Iterator[MysqlDatabases]:
    """Databases of the server that the variable names, each a copy of one that MLflow has initialised."""
    if mysql.VARIABLE not in os.environ:
        pytest.skip(mysql.MISSING)
    databases = MysqlDatabases()
    yield databases
    databases.close()


KINDS = {"sqlite": "sqlite_databases", "postgresql": "postgres_databases"}
if mysql.VARIABLE in os.environ:
    KINDS["mysql"] = "mysql_databases"


@pytest.fixture(scope="session", params=list(KINDS))
def databases(request: pytest.FixtureRequest) -> Databases:
    """Each kind of database in turn; MySQL only where a server is named."""
    made: Databases = request.getfixturevalue(KINDS[request.param])
    return made


@pytest.fixture
def sqlite_uri(sqlite_databases: SqliteDatabases) -> str:
    """The URI of a fresh SQLite file."""
    return sqlite_databases.fresh()


@pytest.fixture
def postgres_uri(postgres_databases: PostgresDatabases) -> str:
    """The URI of a fresh PostgreSQL database."""
    return postgres_databases.fresh()


@pytest.fixture
def database_uri(databases: Databases) -> str:
    """The URI of a fresh database, once per kind of database."""
    return databases.fresh()


@pytest.fixture
def upstream(new_directory: Callable[[], Path]) -> Iterator[ServerFactory]:
    """Start upstream's default server: ``upstream(*options, env=..., env_file=...)``."""
    with ServerFactory(UPSTREAM, new_directory) as factory:
        yield factory


@pytest.fixture
def ours(new_directory: Callable[[], Path]) -> Iterator[ServerFactory]:
    """Start our server; it takes what ``upstream`` takes."""
    with ServerFactory(ours_command(), new_directory) as factory:
        yield factory
