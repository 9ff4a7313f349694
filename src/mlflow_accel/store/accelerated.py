"""The accelerated tracking store: upstream's ``SqlAlchemyStore`` with hot methods added or replaced."""

from __future__ import annotations

import os
from typing import Any

from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.server.constants import READ_REPLICA_BACKEND_STORE_URI_ENV_VAR
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

from mlflow_accel.kernels.batch import Batch
from mlflow_accel.store import engines
from mlflow_accel.store.columns import Member
from mlflow_accel.store.group_commit import GroupCommit
from mlflow_accel.store.writer import ALONE, DIALECTS, Writer


class AcceleratedTracking(SqlAlchemyStore):  # type: ignore[misc]
    """What both stores, with and without workspaces, have in common."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._writer: Writer | None = None
        if self.db_type in DIALECTS and engines.is_tuned(self.engine):
            self._writer = Writer(self.engine)
            self._group: GroupCommit[Member, str] = GroupCommit(self._writer.write)

    def write(self, batch: Batch) -> str:
        """Store a batch durably and return ``fast``, or return why it was declined; then nothing is stored.

        Source: ``SqlAlchemyStore.log_batch`` and ``log_metric``, on input that they accept.

        Raises:
            MlflowException: the database cannot be reached, or the pool is exhausted (503: a retry works).
        """
        if self._writer is None:
            return "store"
        member = Member(batch, self._get_active_workspace() if self.supports_workspaces else None)
        outcome = self._group.submit(member)
        return self._writer.write_alone(member) if outcome == ALONE else outcome


class AcceleratedStore(AcceleratedTracking):
    """The store of a server without workspaces."""


class AcceleratedWorkspaceStore(AcceleratedTracking, WorkspaceAwareSqlAlchemyStore):  # type: ignore[misc]
    """The store of a server with workspaces."""


def build(store_uri: str, artifact_uri: str) -> AcceleratedStore | AcceleratedWorkspaceStore:
    """Return the store for a database, as upstream's registry builds its own."""
    store = AcceleratedWorkspaceStore if MLFLOW_ENABLE_WORKSPACES.get() else AcceleratedStore
    return store(store_uri, artifact_uri, read_db_uri=os.environ.get(READ_REPLICA_BACKEND_STORE_URI_ENV_VAR))
