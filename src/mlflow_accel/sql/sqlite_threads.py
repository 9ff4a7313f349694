"""SQLite under gevent: each call runs in gevent's thread pool, for our statements and upstream's alike.

SQLite waits in C, for the disk and for other processes' locks. In the worker's own thread that would stop every
request; in the pool it stops one. PERF: a call costs 29 µs more.

A connection that a managed session uses is set up once (upstream sends the same PRAGMAs in every session), and its
transactions are begun by us: pysqlite sends BEGIN only before the first write, after the reads that decided on it, and
none at all before a savepoint.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

from mlflow_accel.sql import file_systems, urls
from mlflow_accel.threads import NativeThreads

MODE = "mlflow_accel_mode"
"""The execution option by which a managed session says whether it will write: ``read`` or ``write``."""

BUSY_SECONDS = 20.0
"""How long a writer waits for another; upstream's own figure."""

in_thread = NativeThreads()
"""Runs a call to SQLite."""

use_threads = in_thread.use

_writers: dict[str, threading.Lock] = defaultdict(threading.Lock)


class ThreadedCursor(sqlite3.Cursor):
    """A cursor whose calls run in the thread pool."""

    def execute(self, *arguments: Any) -> ThreadedCursor:
        return in_thread(super().execute, *arguments)

    def executemany(self, *arguments: Any) -> ThreadedCursor:
        return in_thread(super().executemany, *arguments)

    def fetchone(self) -> Any:
        return in_thread(super().fetchone)

    def fetchmany(self, *arguments: Any) -> list[Any]:
        return in_thread(super().fetchmany, *arguments)

    def fetchall(self) -> list[Any]:
        return in_thread(super().fetchall)


class ThreadedConnection(sqlite3.Connection):
    """A connection whose calls run in the thread pool, and which knows its file's writer lock.

    One greenlet at a time waits in SQLite for the write lock: were it as many as the pool has threads, the one that
    holds the lock would find no thread to commit in.
    """

    managed = False
    wal = False
    writer: threading.Lock
    _writing = False

    def cursor(self, factory: Any = ThreadedCursor) -> Any:
        return super().cursor(factory)

    def begin(self, writing: bool) -> None:
        """Begin a transaction; a writing one takes SQLite's write lock at once, and holds it to its end.

        Raises:
            sqlite3.OperationalError: another writer held it for ``BUSY_SECONDS``.
        """
        if writing:
            self._acquire()
        try:
            in_thread(self._run, "BEGIN IMMEDIATE" if writing else "BEGIN")
        except BaseException:
            self._release()
            raise

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold this process's writer lock of the file; the transaction is the caller's to begin and end."""
        self._acquire()
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        if not self.writer.acquire(timeout=BUSY_SECONDS):
            raise sqlite3.OperationalError("database is locked")
        self._writing = True

    def _release(self) -> None:
        if self._writing:
            self._writing = False
            self.writer.release()

    def _run(self, statement: str) -> None:
        sqlite3.Connection.cursor(self, sqlite3.Cursor).execute(statement)

    def commit(self) -> None:
        in_thread(super().commit)
        self._release()

    def rollback(self) -> None:
        try:
            in_thread(super().rollback)
        finally:
            self._release()

    def close(self) -> None:
        try:
            in_thread(super().close)
        finally:
            self._release()

    def set_up(self) -> None:
        """What upstream's sessions expect of a connection, once; and write-ahead logging, so that readers never wait."""
        self.isolation_level = None
        pragmas = ["foreign_keys = ON", f"busy_timeout = {int(BUSY_SECONDS * 1000)}", "case_sensitive_like = true"]
        if self.wal:
            pragmas += ["journal_mode = WAL", "synchronous = FULL"]
        for pragma in pragmas:
            in_thread(self._run, f"PRAGMA {pragma}")
        self.managed = True


def install(engine: Engine) -> None:
    """Make ``engine`` (of a SQLite file) connect with :class:`ThreadedConnection`."""
    path = urls.sqlite_file(engine.url)
    assert path is not None
    wal = file_systems.is_local(path)

    def do_connect(dialect: Any, record: Any, arguments: list[Any], keywords: dict[str, Any]) -> None:
        keywords["factory"] = functools.partial(_connect, writer=_writers[str(path)], wal=wal)
        keywords["check_same_thread"] = False

    def begin(connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, ThreadedConnection)
        mode = connection.get_execution_options().get(MODE)
        if mode and not raw.managed:
            raw.set_up()
        if raw.managed:
            raw.begin(writing=mode == "write")

    event.listen(engine, "do_connect", do_connect)
    event.listen(engine, "begin", begin)


def _connect(*arguments: Any, writer: threading.Lock, wal: bool, **keywords: Any) -> ThreadedConnection:
    connection = in_thread(functools.partial(ThreadedConnection, *arguments, **keywords))
    connection.writer, connection.wal = writer, wal
    return connection
