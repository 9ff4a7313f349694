"""Databases of a MySQL or MariaDB server that is running somewhere."""

from __future__ import annotations

import os
from functools import cached_property
from uuid import uuid4

from sqlalchemy import URL, create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool

from tests.support.databases import initialise

VARIABLE = "MLFLOW_ACCEL_TEST_MYSQL"
"""Names the server: ``mysql+pymysql://user:password@host``; the user may create databases."""

MISSING = f"{VARIABLE} names no server; Debian's mariadb-server is one"


class MysqlDatabases:
    """Databases of the server that the variable names, deleted when they are closed."""

    name = "mysql"

    def __init__(self) -> None:
        self._url = make_url(os.environ[VARIABLE])
        self._engine = create_engine(self._url, poolclass=NullPool)
        self._made: list[str] = []

    @cached_property
    def _template(self) -> str:
        uri = self._uri(self._create())
        initialise(uri)
        return uri

    def _create(self) -> str:
        name = f"test_{uuid4().hex}"
        with self._engine.begin() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        self._made.append(name)
        return name

    def _uri(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def fresh(self) -> str:
        """Return the URI of a new initialised database."""
        return self.copy(self._template)

    def copy(self, uri: str) -> str:
        """Return the URI of a copy of ``uri``, a database of this server."""
        source, target = make_url(uri).database, self._create()
        with self._engine.begin() as connection:
            tables = inspect(connection).get_table_names(schema=source)
            # Experiment 0 would be given a number of its own.
            connection.execute(text("SET foreign_key_checks = 0, sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"))
            connection.execute(text(f"USE {target}"))
            for table in tables:
                _, definition = connection.execute(text(f"SHOW CREATE TABLE {source}.{table}")).one()
                connection.exec_driver_sql(definition.replace("%", "%%"))
                connection.execute(text(f"INSERT INTO {target}.{table} SELECT * FROM {source}.{table}"))
        return self._uri(target)

    def through(self, uri: str, driver: str) -> str:
        """Return ``uri`` with another driver of SQLAlchemy's."""
        url: URL = make_url(uri)
        return url.set(drivername=f"mysql+{driver}").render_as_string(hide_password=False)

    def close(self) -> None:
        """Delete what was made."""
        with self._engine.begin() as connection:
            for name in self._made:
                connection.execute(text(f"DROP DATABASE {name}"))
        self._engine.dispose()
