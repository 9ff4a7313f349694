"""Writes that share a transaction with nobody: rare ones, which look before they write, or delete.

Each takes the cursor of a transaction of its own, the statements of the database, and the workspace that its run must
belong to (None: workspaces are off). It returns ``fast``, or why it declines; it has written nothing then.
"""

from __future__ import annotations

from typing import Any

from mlflow.entities.lifecycle_stage import LifecycleStage
from mlflow.tracing.constant import AssessmentMetadataKey
from mlflow.utils.time import get_current_time_millis

from mlflow_accel.kernels.batch import MAX_KEY, is_run_id, is_text


class Solo:
    """A write to one run."""

    __slots__ = ("run_id",)

    rows = 1

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def execute(self, cursor: Any, sql: Any, workspace: str | None) -> str:
        """Write."""
        raise NotImplementedError


def active_run(cursor: Any, sql: Any, run_id: str, workspace: str | None) -> tuple[Any, ...] | None:
    """Return ``(run_uuid, experiment_id, ...)`` of the run, if it is active and of the workspace."""
    runs = sql.active_runs(cursor, [run_id], workspace is not None, False)
    if not runs or (workspace is not None and runs[0][2] != workspace):
        return None
    return runs[0]  # type: ignore[no-any-return]


class TagDeletion(Solo):
    """The end of a tag of an active run."""

    __slots__ = ("key",)

    def __init__(self, run_id: str, key: str) -> None:
        super().__init__(run_id)
        self.key = key

    def execute(self, cursor: Any, sql: Any, workspace: str | None) -> str:
        """Delete the tag; one that is not there is declined."""
        if active_run(cursor, sql, self.run_id, workspace) is None:
            return "run"
        cursor.execute(sql.DELETE_TAG, (self.run_id, self.key))
        return "fast" if cursor.rowcount == 1 else "run"


def tag_deletion(run_id: str, key: str) -> TagDeletion | None:
    """Return the deletion, or None unless it is plain."""
    return TagDeletion(run_id, key) if is_run_id(run_id) and is_text(key, MAX_KEY) and key.isascii() else None


class StageChange(Solo):
    """The deletion of a run, or its restoration; upstream asks for neither's stage before."""

    __slots__ = ("deleted",)

    def __init__(self, run_id: str, deleted: bool) -> None:
        super().__init__(run_id)
        self.deleted = deleted

    def execute(self, cursor: Any, sql: Any, workspace: str | None) -> str:
        """Change the stage; the deletion of a run from which assessments were made is declined."""
        cursor.execute(sql.RUN_OF_ANY_STAGE, (self.run_id,))
        run = cursor.fetchone()
        if run is None or (workspace is not None and run[0] != workspace):
            return "run"
        if self.deleted:
            # As upstream writes it into their metadata.
            cursor.execute(sql.ASSESSMENT_WITH, (f'"{AssessmentMetadataKey.SOURCE_RUN_ID}": "{self.run_id}"',))
            if cursor.fetchone() is not None:
                return "run"
        stage = LifecycleStage.DELETED if self.deleted else LifecycleStage.ACTIVE
        deleted_time = get_current_time_millis() if self.deleted else None
        cursor.execute(sql.STAGE, (stage, deleted_time, self.run_id))
        return "fast"


def stage_change(run_id: str, deleted: bool) -> StageChange | None:
    """Return the change, or None unless it is plain."""
    return StageChange(run_id, deleted) if is_run_id(run_id) else None
