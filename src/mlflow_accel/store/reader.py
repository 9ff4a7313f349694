"""Read with our own statements, on connections of the pool of a store's engine."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any, ParamSpec, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from sqlalchemy import Engine
from sqlalchemy import exc as sa_exc

from mlflow_accel.sql import postgresql_reads, sqlite_reads
from mlflow_accel.store import engines

_logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DIALECTS: dict[str, Any] = {"postgresql": postgresql_reads, "sqlite": sqlite_reads}
"""The statements of each database that is accelerated, by SQLAlchemy's name for it."""


class Refused(Exception):
    """The database refuses the statement: upstream's method will say why."""


class _Gone(Exception):
    """The connection had been closed by the server."""


def declining(answer: Callable[P, T]) -> Callable[P, T | str]:
    """Let ``answer`` return why it declines: ``database``, or ``row`` for a row that cannot be written."""

    @functools.wraps(answer)
    def answered(*arguments: P.args, **keywords: P.kwargs) -> T | str:
        try:
            return answer(*arguments, **keywords)
        except Refused:
            return "database"
        except ValueError:
            return "row"

    return answered


class Reader:
    """Reads from the database of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sql = DIALECTS[engine.dialect.name]

    def read(self, work: Callable[[Any], T]) -> T:
        """Return ``work(cursor)``.

        Raises:
            MlflowException: the database cannot be reached, or the pool is exhausted (503: a retry works).
            Refused: it is reached, and raises another error.
        """
        try:
            try:
                with engines.unasked():
                    return self._attempt(work)
            except _Gone:
                # Nobody has asked whether the connection was alive. Now the pool does, before it hands one out.
                return self._attempt(work)
        except _Gone as gone:
            raise self._unavailable(gone.__cause__) from gone.__cause__
        except (sa_exc.TimeoutError, sa_exc.OperationalError, self._driver_errors("OperationalError")) as ex:
            raise self._unavailable(ex) from ex
        except (self._driver_errors("Error"), OverflowError, ValueError) as ex:
            raise Refused from ex

    def _attempt(self, work: Callable[[Any], T]) -> T:
        with closing(self.engine.raw_connection()) as connection:
            try:
                return self.sql.read(connection.dbapi_connection, work)  # type: ignore[no-any-return]
            except self._driver_errors("Error") as ex:
                if self.engine.dialect.is_disconnect(ex, connection.dbapi_connection, None):  # type: ignore[arg-type]
                    connection.invalidate(ex)
                    raise _Gone from ex
                raise

    def _driver_errors(self, name: str) -> type[Exception]:
        assert self.engine.dialect.dbapi is not None
        return getattr(self.engine.dialect.dbapi, name)  # type: ignore[no-any-return]

    def _unavailable(self, cause: BaseException | None) -> MlflowException:
        _logger.warning("The database could not be read: %s", cause)
        return MlflowException(str(cause), error_code=TEMPORARILY_UNAVAILABLE)
