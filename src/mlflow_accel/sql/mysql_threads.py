"""mysqlclient under gevent: what waits for the server runs in gevent's thread pool, for our statements and upstream's.

It waits in C, which would stop every request of the worker. PyMySQL needs none of this: gevent sees its waits.
"""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import Engine, event

from mlflow_accel.sql.sqlite_threads import in_thread


def install(engine: Engine) -> None:
    """Make ``engine`` (whose driver is mysqlclient) connect with a connection whose calls run in the thread pool."""
    from MySQLdb.connections import Connection

    class ThreadedConnection(Connection):  # type: ignore[misc]
        """A connection that waits in the thread pool, once it is made, which is done there too."""

        made = False

        def _call(self, function: Any, *arguments: Any) -> Any:
            return in_thread(function, *arguments) if self.made else function(*arguments)

        def query(self, query: Any) -> Any:
            return self._call(super().query, query)

        def store_result(self) -> Any:
            return self._call(super().store_result)

        def next_result(self) -> Any:
            return self._call(super().next_result)

        def commit(self) -> Any:
            return self._call(super().commit)

        def rollback(self) -> Any:
            return self._call(super().rollback)

        def autocommit(self, on: bool) -> Any:
            return self._call(super().autocommit, on)

        def ping(self, *arguments: Any) -> Any:
            return self._call(super().ping, *arguments)

        def close(self) -> Any:
            return self._call(super().close)

    def do_connect(dialect: Any, record: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        connection = in_thread(functools.partial(ThreadedConnection, *arguments, **keywords))
        connection.made = True
        return connection

    event.listen(engine, "do_connect", do_connect)
