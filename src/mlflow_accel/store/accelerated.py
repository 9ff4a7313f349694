"""The accelerated tracking store: upstream's ``SqlAlchemyStore`` with hot methods added or replaced."""

from __future__ import annotations

import os
from typing import Any

from mlflow.entities import Run, RunInfo
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.server.constants import READ_REPLICA_BACKEND_STORE_URI_ENV_VAR
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

from mlflow_accel.kernels.batch import Batch
from mlflow_accel.store import engines, entities, reader, sessions
from mlflow_accel.store.columns import Member
from mlflow_accel.store.group_commit import GroupCommit
from mlflow_accel.store.reader import Reader
from mlflow_accel.store.reads import Reads
from mlflow_accel.store.solo import Solo, stage_change, tag_deletion
from mlflow_accel.store.writer import ALONE, DIALECTS, STORED, Writer
from mlflow_accel.store.writes import ExperimentTag, NewRun, RunUpdate


class AcceleratedTracking(SqlAlchemyStore):  # type: ignore[misc]
    """What both stores, with and without workspaces, have in common."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._writer: Writer | None = None
        if self.db_type in DIALECTS and engines.is_tuned(self.engine):
            self._writer = Writer(self.engine)
            self._group: GroupCommit[Member, str] = GroupCommit(self._writer.write)

        self.reads = self._reads()

    def _reads(self) -> Reads | None:
        """Return what reads this store's database with our own statements: the replica, where there is one."""
        engine = self.read_engine or self.engine
        if engine.dialect.name not in reader.DIALECTS or not engines.is_tuned(engine):
            return None
        return Reads(Reader(engine))

    def workspace(self) -> str | None:
        """Return the workspace of the request that is being answered; None where there are no workspaces."""
        return self._get_active_workspace() if self.supports_workspaces else None

    def shows_retention(self) -> bool:
        """Return whether experiments are shown with the time for which their traces are kept."""
        return self._get_effective_experiment_trace_archival_retention_context() is not None

    def write(self, write: Batch | NewRun | RunUpdate | ExperimentTag | Solo) -> str:
        """Store a write durably and return ``fast``, or return why it was declined; then nothing is stored.

        What the answer needs beside that is then in ``write``.

        Source: ``SqlAlchemyStore.log_batch`` and the other methods that log, on input that they accept.

        Raises:
            MlflowException: the database cannot be reached, or the pool is exhausted (503: a retry works).
        """
        if self._writer is None:
            return "store"
        member = Member(write, self.workspace())
        outcome = ALONE if isinstance(write, Solo) else self._group.submit(member)
        return self._writer.write_alone(member) if outcome == ALONE else outcome

    def _stored(self, write: Any) -> bool:
        """Return whether ``write`` is stored; None, and what upstream's own code asks for within a session, is not."""
        return write is not None and not sessions.inside(self.engine) and self.write(write) == STORED

    def log_batch(self, run_id: Any, metrics: Any, params: Any, tags: Any) -> None:
        """Log metrics, params and tags of a run, as upstream's method does; all or nothing."""
        if not self._stored(entities.batch(run_id, metrics, params, tags)):
            super().log_batch(run_id, metrics, params, tags)

    def log_metric(self, run_id: Any, metric: Any) -> None:
        """Log one metric, as upstream's method does."""
        if not self._stored(entities.batch(run_id, [metric], [], [])):
            super().log_metric(run_id, metric)

    def log_param(self, run_id: Any, param: Any) -> None:
        """Log one param, as upstream's method does."""
        if not self._stored(entities.batch(run_id, [], [param], [])):
            super().log_param(run_id, param)

    def set_tag(self, run_id: Any, tag: Any) -> None:
        """Set one tag of a run, as upstream's method does; that of its name renames it."""
        if not self._stored(entities.tag(run_id, tag)):
            super().set_tag(run_id, tag)

    def delete_tag(self, run_id: Any, key: Any) -> None:
        """Delete one tag of a run, as upstream's method does."""
        plain = entities.is_plain_text(run_id) and entities.is_plain_text(key)
        if not self._stored(tag_deletion(run_id, key) if plain else None):
            super().delete_tag(run_id, key)

    def delete_run(self, run_id: Any) -> None:
        """Mark a run as deleted, as upstream's method does."""
        if not self._stored(stage_change(run_id, deleted=True) if entities.is_plain_text(run_id) else None):
            super().delete_run(run_id)

    def restore_run(self, run_id: Any) -> None:
        """Make a deleted run active again, as upstream's method does."""
        if not self._stored(stage_change(run_id, deleted=False) if entities.is_plain_text(run_id) else None):
            super().restore_run(run_id)

    def set_experiment_tag(self, experiment_id: Any, tag: Any) -> None:
        """Set one tag of an experiment, as upstream's method does."""
        if not self._stored(entities.experiment_tag(experiment_id, tag)):
            super().set_experiment_tag(experiment_id, tag)

    def create_run(self, experiment_id: Any, user_id: Any, start_time: Any, tags: Any, run_name: Any) -> Run:
        """Create a run, as upstream's method does."""
        run = entities.creation(experiment_id, user_id, start_time, tags, run_name)
        if run is not None and self._stored(run):
            return entities.created(run)
        return super().create_run(experiment_id, user_id, start_time, tags, run_name)

    def update_run_info(self, run_id: Any, run_status: Any, end_time: Any, run_name: Any) -> RunInfo:
        """Change a run's status, end or name, as upstream's method does."""
        update = entities.update(run_id, run_status, end_time, run_name)
        if update is not None and self._stored(update):
            return entities.updated(update)
        return super().update_run_info(run_id, run_status, end_time, run_name)


class AcceleratedStore(AcceleratedTracking):
    """The store of a server without workspaces."""


class AcceleratedWorkspaceStore(AcceleratedTracking, WorkspaceAwareSqlAlchemyStore):  # type: ignore[misc]
    """The store of a server with workspaces."""


def build(store_uri: str, artifact_uri: str) -> AcceleratedStore | AcceleratedWorkspaceStore:
    """Return the store for a database, as upstream's registry builds its own."""
    store = AcceleratedWorkspaceStore if MLFLOW_ENABLE_WORKSPACES.get() else AcceleratedStore
    return store(store_uri, artifact_uri, read_db_uri=os.environ.get(READ_REPLICA_BACKEND_STORE_URI_ENV_VAR))
