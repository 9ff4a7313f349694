"""Whether the server's connection limit has room for every pool of every worker."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from dataclasses import dataclass

from mlflow.environment_variables import MLFLOW_AUTH_CONFIG_PATH, MLFLOW_ENABLE_WORKSPACES
from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import ArgumentError

from mlflow_accel.diagnosis.findings import Finding, Level
from mlflow_accel.store import engines


@dataclass(frozen=True)
class _Room:
    """How many connections the server has for ``mlflow``, and the words for it."""

    free: int
    limit: str


def examine(connection: Connection, workers: int) -> list[Finding]:
    """Return the finding about the connections of ``workers`` workers; none where there is no such limit."""
    measure = _MEASURES.get(connection.dialect.name)
    if measure is None:
        return []
    room = measure(connection)
    pool = engines.describe(connection.engine)["pool"]
    stores = _stores(connection.engine.url)
    if pool["size"] is None or pool["overflow"] < 0:
        found = (
            f"{pool['class']} bounds no worker's connections; there is room for {room.free} ({room.limit})"
        )
        command = "unset MLFLOW_SQLALCHEMYSTORE_POOLCLASS MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"
        return [Finding("pool", Level.NOTE, found, "a pool with a bound", command)]
    each, engines_in_all = pool["size"] + pool["overflow"], len(stores) * workers
    demand = each * engines_in_all
    found = (
        f"up to {demand} connections: {workers} workers x {len(stores)} engines ({', '.join(stores)}) x "
        f"({pool['size']} + {pool['overflow']} overflow); there is room for {room.free} ({room.limit})"
    )
    if demand <= room.free:
        return [Finding("pool", Level.OK, found)]
    fitting = room.free // engines_in_all
    if fitting:
        needed = f"pools of {fitting}, or a higher limit; a request that finds no connection waits for one"
        command = f"export MLFLOW_SQLALCHEMYSTORE_POOL_SIZE={fitting} MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW=0"
    else:
        needed = "a higher limit, or fewer workers"
        command = f"mlflow-accel server --workers {max(1, room.free // len(stores))}"
    return [Finding("pool", Level.PROBLEM, found, needed, command)]


def _stores(url: URL) -> list[str]:
    """Return the stores of a worker that have an engine of their own for ``url``."""
    stores = ["tracking", "registry", "jobs"]
    if MLFLOW_ENABLE_WORKSPACES.get():
        stores.append("workspaces")
    if _auth_server() == (url.get_backend_name(), url.host, url.port):
        stores.append("auth")
    return stores


def _auth_server() -> tuple[str, str | None, int | None] | None:
    """Return the server of the auth database, where a configuration names one; else it is a SQLite file."""
    path = MLFLOW_AUTH_CONFIG_PATH.get()
    if not path:
        return None
    auth = configparser.ConfigParser()
    try:
        auth.read(path)
        url = make_url(auth.get("mlflow", "database_uri"))
    except (configparser.Error, ArgumentError):
        return None
    return url.get_backend_name(), url.host, url.port


def _postgresql(connection: Connection) -> _Room:
    # Connections of this user to this database are a server's that runs already, and this one.
    limits = connection.execute(
        text("""
            SELECT
                current_setting('max_connections')::int AS maximum,
                current_setting('superuser_reserved_connections')::int
                    + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
                (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL
                    AND NOT (datname = current_database() AND usename = current_user)) AS others,
                (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS of_database,
                (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS of_user
        """)
    ).one()
    rooms = [
        _Room(
            limits.maximum - limits.reserved - limits.others,
            f"max_connections {limits.maximum}, {limits.reserved} reserved, {limits.others} in use by others",
        )
    ]
    if limits.of_database >= 0:
        rooms.append(_Room(limits.of_database, "the database's CONNECTION LIMIT"))
    if limits.of_user >= 0:
        rooms.append(_Room(limits.of_user, "the user's CONNECTION LIMIT"))
    return _smallest(rooms)


def _mysql(connection: Connection) -> _Room:
    limits = connection.execute(
        text("""
            SELECT
                @@max_connections AS maximum,
                @@max_user_connections AS of_user,
                (SELECT count(*) FROM information_schema.processlist
                    WHERE NOT (user = substring_index(current_user(), '@', 1)
                        AND coalesce(db, '') = database()))
                    AS others
        """)
    ).one()
    rooms = [
        _Room(
            limits.maximum - limits.others,
            f"max_connections {limits.maximum}, {limits.others} in use by others",
        )
    ]
    if limits.of_user:
        rooms.append(_Room(limits.of_user, "max_user_connections"))
    return _smallest(rooms)


def _smallest(rooms: list[_Room]) -> _Room:
    room = min(rooms, key=lambda room: room.free)
    return _Room(max(0, room.free), room.limit)


_MEASURES: dict[str, Callable[[Connection], _Room]] = {"postgresql": _postgresql, "mysql": _mysql}
