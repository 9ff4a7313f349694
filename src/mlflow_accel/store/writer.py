"""Write a group: one transaction, at most one statement for the runs, one for the experiments, two per kind of row.

A group is stored as a whole or not at all; who cannot be stored leaves it, and the others are stored without it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from sqlalchemy import Engine
from sqlalchemy import exc as sa_exc

from mlflow_accel.kernels.batch import Batch
from mlflow_accel.sql import mysql, postgresql, sqlite
from mlflow_accel.store.columns import Member, collect
from mlflow_accel.store.solo import Solo
from mlflow_accel.store.writes import ExperimentTag, NewRun, RunRow, RunUpdate, artifact_uri

_logger = logging.getLogger(__name__)

DIALECTS: dict[str, Any] = {"mysql": mysql, "postgresql": postgresql, "sqlite": sqlite}
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
        if isinstance(members[0].write, Solo):
            [(write, workspace)] = members
            return [write.execute(cursor, sql, workspace)]
        parents = self._parents(cursor, members)
        outcomes = [parents.admit(member) for member in members]
        present = [member for member, outcome in zip(members, outcomes, strict=True) if outcome == STORED]
        if not present:
            return outcomes
        columns = collect(present, parents.runs)
        if columns.new_runs:
            sql.insert(cursor, sql.NEW_RUNS, columns.new_runs)
        if columns.changed_runs:
            sql.insert(cursor, sql.CHANGED_RUNS, columns.changed_runs)
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
        if columns.experiment_tags:
            sql.insert(cursor, sql.EXPERIMENT_TAGS, columns.experiment_tags)
        return outcomes

    def _parents(self, cursor: Any, members: Sequence[Member]) -> Parents:
        """Read the runs and experiments that ``members`` hang on; those that are not active are not among them."""
        run_ids: set[str] = set()
        experiment_ids: set[int] = set()
        updates = workspaces = False
        for write, workspace in members:
            if isinstance(write, NewRun | ExperimentTag):
                experiment_ids.add(write.experiment_id)
            else:
                run_ids.add(write.run_id)
                updates = updates or isinstance(write, RunUpdate)
            workspaces = workspaces or workspace is not None
        found = Parents({}, {})
        if run_ids:
            rows = self._dialect.active_runs(cursor, sorted(run_ids), workspaces, updates)
            found.runs = {row[0]: RunRow(*row) for row in rows}
        if experiment_ids:
            rows = self._dialect.active_experiments(cursor, sorted(experiment_ids))
            found.experiments = {row[0]: row for row in rows}
        return found


@dataclass
class Parents:
    """What the members of a group hang on, as it stands in the database."""

    runs: dict[str, RunRow]
    experiments: dict[int, tuple[int, str, str | None]]
    """``(experiment_id, workspace, artifact_location)``."""

    def admit(self, member: Member) -> str:
        """Return ``fast``, or why the member may not be written: a parent of another workspace is as good as none."""
        write, workspace = member
        if isinstance(write, NewRun | ExperimentTag):
            experiment = self.experiments.get(write.experiment_id)
            if experiment is None or (workspace is not None and experiment[1] != workspace):
                return "experiment"
            if isinstance(write, NewRun):
                uri = artifact_uri(experiment[2], write.run_id)
                if uri is None:
                    return "experiment"
                write.artifact_uri = uri
            return STORED
        run = self.runs.get(write.run_id)
        if run is None or (workspace is not None and run.workspace != workspace):
            return "run"
        if isinstance(write, RunUpdate) and (
            run.user_id is None or run.status is None or run.start_time is None or not (run.name or write.name)
        ):
            return "run"
        return STORED


def _refuse_changed_params(
    members: Sequence[Member], outcomes: Sequence[str], stored: dict[tuple[str, str], str]
) -> None:
    changed = {
        i
        for i, (write, _) in enumerate(members)
        if outcomes[i] == STORED
        and isinstance(write, Batch)
        and any(stored[write.run_id, key] != value for key, value in write.params)
    }
    if changed:
        raise _Conflict(changed)
