"""Upstream's SQLAlchemy engines, tuned: how long a request waits for a connection, and how its driver waits."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from mlflow_accel import config
from mlflow_accel.sql import mysql_threads, sqlite_threads, urls

_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def tuned_engine(original: Callable[[str], Engine]) -> Callable[[str], Engine]:
    """Wrap upstream's ``create_sqlalchemy_engine``: the same engine, tuned."""

    @functools.wraps(original)
    def create_sqlalchemy_engine(db_uri: str) -> Engine:
        engine = original(db_uri)
        tune_pool(engine)
        _let_reads_pass(engine)
        if engine.dialect.name == "sqlite":
            if urls.sqlite_file(engine.url) is None:
                return engine
            sqlite_threads.install(engine)
        elif engine.dialect.driver == "psycopg2":
            _wait_cooperatively()
        elif engine.dialect.driver == "mysqldb":
            mysql_threads.install(engine)
        _engines.add(engine)
        return engine

    return create_sqlalchemy_engine


def is_tuned(engine: Engine) -> bool:
    """Return whether ``engine`` is as the writer needs it; one that is not a server's (SQLite in memory) is not."""
    return engine in _engines


def tune_pool(engine: Engine) -> None:
    """Set how long a request waits for a connection, and that there is no overflow where 0 was asked for."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return
    pool._timeout = config.POOL_TIMEOUT.get()
    # Upstream passes a number on only if it is true, so that "no overflow" cannot be said to it.
    if os.environ.get("MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW", "").strip() == "0":
        pool._max_overflow = 0


_unasked: ContextVar[bool] = ContextVar("mlflow_accel_unasked", default=False)


@contextmanager
def unasked() -> Iterator[None]:
    """Within this, the pool hands out connections without asking the database whether they are alive.

    PERF: asking costs as much as reading a run. Who reads can do so again, with a connection that was asked.
    """
    token = _unasked.set(True)
    try:
        yield
    finally:
        _unasked.reset(token)


def _let_reads_pass(engine: Engine) -> None:
    dialect: Any = engine.dialect
    ask = dialect.do_ping

    def do_ping(connection: Any) -> bool:
        return _unasked.get() or ask(connection)

    dialect.do_ping = do_ping


def _wait_cooperatively() -> None:
    """Let psycopg2, which waits in C, wait in gevent's hub instead."""
    from gevent import monkey

    if not monkey.is_module_patched("socket"):
        return
    import psycopg2
    from gevent.socket import wait_read, wait_write
    from psycopg2 import extensions

    def wait(connection: Any) -> None:
        while True:
            state = connection.poll()
            if state == extensions.POLL_OK:
                return
            if state == extensions.POLL_READ:
                wait_read(connection.fileno())
            elif state == extensions.POLL_WRITE:
                wait_write(connection.fileno())
            else:
                raise psycopg2.OperationalError(f"unexpected state of a connection: {state}")

    extensions.set_wait_callback(wait)


def describe(engine: Engine) -> dict[str, Any]:
    """Return the database's URL without secrets, its driver, and the pool's class, size, overflow and timeout (s).

    Size, overflow and timeout are None for a pool that has no such bound.
    """
    pool = engine.pool
    bounds: dict[str, Any] = {"size": None, "overflow": None, "timeout": None}
    if isinstance(pool, QueuePool):
        bounds = {"size": pool.size(), "overflow": pool._max_overflow, "timeout": pool._timeout}
    return {
        "database": urls.masked(engine.url),
        "driver": engine.dialect.driver,
        "pool": {"class": type(pool).__name__, **bounds},
    }


def close_connections() -> None:
    """Close the idle connections of every engine: none may cross a fork."""
    for engine in list(_engines):
        engine.dispose()


use_threads = sqlite_threads.use_threads
