"""SQLite's statements: one per table and group, prepared once and stepped over the rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mlflow_accel.sql.sqlite_threads import ThreadedConnection, in_thread

T = TypeVar("T")

RUNS = """
SELECT r.run_uuid, r.experiment_id FROM json_each(?) n JOIN runs r ON r.run_uuid = n.value
WHERE r.lifecycle_stage = 'active'
"""

RUNS_IN_WORKSPACE = """
SELECT r.run_uuid, r.experiment_id, e.workspace FROM json_each(?) n JOIN runs r ON r.run_uuid = n.value
JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.lifecycle_stage = 'active'
"""

PARAMS = "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"

PARAM_VALUES = """
SELECT p.run_uuid, p.key, p.value FROM json_each(?) n
JOIN params p ON p.run_uuid = json_extract(n.value, '$[0]') AND p.key = json_extract(n.value, '$[1]')
"""

METRICS = """
INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

LATEST = """
INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET
    value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value)
    > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)
"""

# No ON CONFLICT: upstream answers a second value at the same step with an error of its own.
MODEL_METRICS = """
INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value,
    experiment_id, run_id, dataset_name, dataset_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

TAGS = """
INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value WHERE tags.value IS NOT excluded.value
"""


def transact(connection: ThreadedConnection, work: Callable[[Any], T], in_group: bool) -> T:
    """Return ``work(cursor)``, run within a writing transaction that is committed after it, or rolled back.

    The whole of it is one visit to the thread pool.
    """

    def visit() -> T:
        cursor = sqlite3.Connection.cursor(connection, sqlite3.Cursor)
        cursor.execute("BEGIN IMMEDIATE")
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        return result

    if not connection.managed:
        connection.set_up()
    with connection.write_lock():
        return in_thread(visit)


def active_runs(cursor: Any, run_ids: list[str], with_workspace: bool) -> list[tuple[Any, ...]]:
    """Return ``(run_uuid, experiment_id[, workspace])`` of those runs that exist and are active."""
    return cursor.execute(RUNS_IN_WORKSPACE if with_workspace else RUNS, (json.dumps(run_ids),)).fetchall()  # type: ignore[no-any-return]


def param_values(cursor: Any, columns: Sequence[list[Any]]) -> list[tuple[str, str, str]]:
    """Return ``(run_uuid, key, value)`` as stored, of the params named by ``columns`` (run_uuid, key)."""
    return cursor.execute(PARAM_VALUES, (json.dumps(list(zip(*columns, strict=True))),)).fetchall()  # type: ignore[no-any-return]


def insert(cursor: Any, statement: str, columns: Sequence[list[Any]]) -> None:
    """Run one of the statements above for each row."""
    cursor.executemany(statement, zip(*columns, strict=True))


def may_succeed_alone(error: BaseException) -> bool:
    """Return False: a group holds the write lock, nothing can stand in its way."""
    return False
