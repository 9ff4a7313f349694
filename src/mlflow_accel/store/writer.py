"""Write a group of batches: one transaction, at most one statement for the runs and two per kind of row.

A group is stored as a whole or not at all; who cannot be stored leaves it, and the others are stored without it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from sqlalchemy import Engine
from sqlalchemy import exc as sa_exc

from mlflow_accel.sql import postgresql, sqlite
from mlflow_accel.store.columns import Member, collect

_logger = logging.getLogger(__name__)

DIALECTS: dict[str, Any] = {"postgresql": postgresql, "sqlite": sqlite}
"""The statements of each database that is accelerated, by SQLAlchemy's name for it."""

STORED = "fast"
ALONE = "alone"
"""An outcome of the group only: somebody else's lock was in the way, the member is to be written by itself."""

ATTEMPTS = 3
"""How often a member that is written by itself is tried when the database ends it for a deadlock."""


class _Conflict(Exception):
    """Some members log a param that has another value; raised inside the transaction, so that it is rolled back."""

    def __init__(self, members: set[int]) -> None:
        self.members = members


class Writer:
    """Writes groups to the database of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = DIALECTS[engine.dialect.name]

    def write(self, members: Sequence[Member]) -> list[str]:
        """Return an outcome for each member: ``fast`` (stored), ``alone``, or why its request is to be declined.

        Raises:
            MlflowException: the database cannot be reached, or the pool is exhausted (503: a retry works).
        """
        return self._write(members, in_group=True)

    def write_alone(self, member: Member) -> str:
        """Return the outcome of a member that left its group because of somebody's lock; it waits for the lock."""
        for _ in range(ATTEMPTS):
            [outcome] = self._write([member], in_group=False)
            if outcome != ALONE:
                return outcome
        raise MlflowException(
            "The database ended the write for a deadlock several times; a retry works.",
            error_code=TEMPORARILY_UNAVAILABLE,
        )

    def _write(self, members: Sequence[Member], in_group: bool) -> list[str]:
        try:
            return self._attempt(members, in_group)
        except _Conflict as conflict:
            rest = [member for i, member in enumerate(members) if i not in conflict.members]
            stored = iter(self._write(rest, in_group) if rest else [])
            return ["conflict" if i in conflict.members else next(stored) for i in range(len(members))]
        except (sa_exc.TimeoutError, sa_exc.OperationalError, self._driver_errors("OperationalError")) as ex:
            if self._dialect.may_succeed_alone(ex):
                return [ALONE] * len(members)
            _logger.warning("The database could not be written to: %s", ex)
            raise MlflowException(str(ex), error_code=TEMPORARILY_UNAVAILABLE) from ex
        except self._driver_errors("Error"):
            # What the database refuses of one member's rows, upstream's method will say to that member.
            if len(members) == 1:
                return ["database"]
            half = len(members) // 2
            return self._write(members[:half], in_group) + self._write(members[half:], in_group)

    def _driver_errors(self, name: str) -> type[Exception]:
        assert self._engine.dialect.dbapi is not None
        return getattr(self._engine.dialect.dbapi, name)  # type: ignore[no-any-return]

    def _attempt(self, members: Sequence[Member], in_group: bool) -> list[str]:
        with closing(self._engine.raw_connection()) as connection:
            try:
                return self._dialect.transact(  # type: ignore[no-any-return]
                    connection.dbapi_connection, lambda cursor: self._statements(cursor, members), in_group
                )
            except _Conflict:
                raise
            except Exception as ex:
                if self._engine.dialect.is_disconnect(ex, connection.dbapi_connection, None):  # type: ignore[arg-type]
                    connection.invalidate(ex)
                raise

    def _statements(self, cursor: Any, members: Sequence[Member]) -> list[str]:
        sql = self._dialect
        with_workspace = any(member.workspace is not None for member in members)
        rows = sql.active_runs(cursor, sorted({member.batch.run_id for member in members}), with_workspace)
        runs = {row[0]: row for row in rows}
        outcomes = [STORED if _may_write(member, runs.get(member.batch.run_id)) else "run" for member in members]
        present = [member for member, outcome in zip(members, outcomes, strict=True) if outcome == STORED]
        if not present:
            return outcomes
        columns = collect(present, {run_id: row[1] for run_id, row in runs.items()})
        if columns.params:
            sql.insert(cursor, sql.PARAMS, columns.params)
            stored = {(run, key): value for run, key, value in sql.param_values(cursor, columns.params[:2])}
            _refuse_changed_params(members, outcomes, stored)
        if columns.metrics:
            sql.insert(cursor, sql.METRICS, columns.metrics)
            sql.insert(cursor, sql.LATEST, columns.latest)
        if columns.model_metrics:
            sql.insert(cursor, sql.MODEL_METRICS, columns.model_metrics)
        if columns.tags:
            sql.insert(cursor, sql.TAGS, columns.tags)
        return outcomes


def _may_write(member: Member, run: Sequence[Any] | None) -> bool:
    """Return whether the member's run is active, and of the member's workspace where there are workspaces."""
    return run is not None and (member.workspace is None or run[2] == member.workspace)


def _refuse_changed_params(
    members: Sequence[Member], outcomes: Sequence[str], stored: dict[tuple[str, str], str]
) -> None:
    changed = {
        i
        for i, (batch, _) in enumerate(members)
        if outcomes[i] == STORED and any(stored[batch.run_id, key] != value for key, value in batch.params)
    }
    if changed:
        raise _Conflict(changed)
