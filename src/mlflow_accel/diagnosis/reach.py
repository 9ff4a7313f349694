"""Connect to a database to look at it: within seconds or not at all, and unable to change anything."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlflow.store.db import utils
from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from mlflow_accel.diagnosis.findings import Finding, Level, Stop
from mlflow_accel.sql import urls
from mlflow_accel.store import engines

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10

TIMEOUT_OPTIONS = {
    "psycopg": ["connect_timeout"],
    "psycopg2": ["connect_timeout"],
    # These two count the TCP connection alone, not the server's greeting.
    "pymysql": ["connect_timeout", "read_timeout"],
    "mysqldb": ["connect_timeout", "read_timeout"],
    "mysqlconnector": ["connection_timeout"],
    "pg8000": ["timeout"],
    "pyodbc": ["timeout"],
    "pymssql": ["login_timeout"],
}
"""What each driver calls the longest wait for a connection, in seconds."""

FIRST = {
    "postgresql": ("SET TRANSACTION READ ONLY", f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION lock_wait_timeout = {STATEMENT_SECONDS}"),
    "sqlite": ("SELECT count(*) FROM sqlite_master",),
}
"""The first statements of the one transaction, which can only read after them.

A SQLite file is opened for reading, but not looked at before the first one. SQL Server has no such setting.
"""


def engine(uri: str, url: URL) -> Engine:
    """Return an engine with the pool that a server would have; it connects to look only.

    Raises:
        Stop: the settings of the pool mean nothing.
    """
    try:
        made: Engine = utils.create_sqlalchemy_engine(uri)
    except (ValueError, TypeError) as ex:
        needed = "MLFLOW_SQLALCHEMYSTORE_* settings that SQLAlchemy understands"
        raise Stop(Finding("pool", Level.PROBLEM, _without_secrets(str(ex), url), needed)) from None
    engines.tune_pool(made)

    @event.listens_for(made, "do_connect")
    def do_connect(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        if dialect.name == "sqlite":
            return _open(urls.sqlite_file(url))
        for option in TIMEOUT_OPTIONS.get(dialect.driver, []):
            options.setdefault(option, CONNECT_SECONDS)
        return None

    return made


def _open(file: Path | None) -> sqlite3.Connection:
    """Open a SQLite file for reading.

    Reading a file in WAL mode creates its log and index, which a reader cannot remove and which would belong
    to the wrong user. Where there is no log, nobody writes: SQLite is told that the file does not change.
    """
    assert file is not None
    mode = "mode=ro"
    if is_wal(file) and not Path(f"{file}-wal").exists():
        mode += "&immutable=1"
    return sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True, timeout=CONNECT_SECONDS)


def is_wal(file: Path) -> bool:
    """Return whether the SQLite database ``file`` is in WAL mode, as its header says."""
    with file.open("rb") as opened:
        return opened.read(20)[18:20] == b"\x02\x02"


@contextmanager
def connect(engine: Engine) -> Iterator[Connection]:
    """Connect, in a transaction that reads.

    Raises:
        Stop: the database cannot be reached or read; also within the block.
    """
    try:
        with engine.connect() as connection:
            for statement in FIRST.get(engine.dialect.name, ()):
                connection.execute(text(statement))
            yield connection
    except (DBAPIError, OSError) as ex:
        raise Stop(_unreachable(engine.url, ex)) from None
    finally:
        engine.dispose()


def _unreachable(url: URL, error: DBAPIError | OSError) -> Finding:
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    lines = filter(None, map(str.strip, _without_secrets(said, url).splitlines()))
    found = f"{urls.masked(url)}: {'; '.join(lines)}"
    if url.get_backend_name() == "sqlite":
        needed = "a SQLite database that this user may read, and that no process holds locked"
        return Finding(
            "connection", Level.PROBLEM, found, needed, f"fuser -v {shlex.quote(str(urls.sqlite_file(url)))}"
        )
    needed = (
        f"a server that answers there within {CONNECT_SECONDS} s and knows the user, password and database"
    )
    return Finding("connection", Level.PROBLEM, found, needed, _client(url))


def _client(url: URL) -> str:
    """Return the command with which the database's own client connects; it asks for the password."""
    if url.get_backend_name() == "postgresql":
        return f"psql {shlex.quote(urls.without_secrets(url.set(drivername='postgresql')))}"
    if url.get_backend_name() == "mysql":
        options = {"-h": url.host, "-P": url.port, "-u": url.username, "-p": url.database}
        return " ".join(["mysql", *(f"{option} {shlex.quote(str(v))}" for option, v in options.items() if v)])
    return ""


def _without_secrets(message: str, url: URL) -> str:
    """Return a driver's ``message`` without what is secret in ``url``."""
    for secret in urls.secrets(url):
        for spelling in (secret, quote(secret, safe="")):
            message = message.replace(spelling, "***")
    return message


def reached(connection: Connection) -> Finding:
    """Return the finding that says which server answers."""
    dialect = connection.dialect
    version = ".".join(map(str, dialect.server_version_info or ()))
    return Finding(
        "connection", Level.OK, f"{urls.masked(connection.engine.url)}: {dialect.name} {version}".rstrip()
    )
