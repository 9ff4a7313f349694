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

RUNS_IN_FULL = """
SELECT r.run_uuid, r.experiment_id, e.workspace, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri
FROM json_each(?) n JOIN runs r ON r.run_uuid = n.value JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.lifecycle_stage = 'active'
"""

EXPERIMENTS = """
SELECT e.experiment_id, e.workspace, e.artifact_location
FROM json_each(?) n JOIN experiments e ON e.experiment_id = n.value
WHERE e.lifecycle_stage = 'active'
"""

NEW_RUNS = """
INSERT INTO runs (run_uuid, name, user_id, start_time, artifact_uri, experiment_id, source_type, source_name,
    entry_point_name, status, source_version, lifecycle_stage)
VALUES (?, ?, ?, ?, ?, ?, 'UNKNOWN', '', '', 'RUNNING', '', 'active')
"""

CHANGED_RUNS = "UPDATE runs SET name = ?, status = ?, end_time = ? WHERE run_uuid = ?"

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

EXPERIMENT_TAGS = """
INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value WHERE experiment_tags.value IS NOT excluded.value
"""

DELETE_TAG = "DELETE FROM tags WHERE run_uuid = ? AND key = ?"

STAGE = "UPDATE runs SET lifecycle_stage = ?, deleted_time = ? WHERE run_uuid = ?"

RUN_OF_ANY_STAGE = """
SELECT e.workspace FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.run_uuid = ?
"""

ASSESSMENT_WITH = "SELECT 1 FROM assessments WHERE assessment_metadata LIKE '%' || ? || '%' LIMIT 1"

DATASETS = """
INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema,
    dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

DATASET_IDS = """
SELECT name, digest, dataset_uuid FROM datasets WHERE experiment_id = ?
AND name IN (SELECT value FROM json_each(?)) AND digest IN (SELECT value FROM json_each(?))
"""

DATASETS_USED = """
SELECT source_id FROM inputs WHERE source_type = 'DATASET' AND source_id IN (SELECT value FROM json_each(?))
AND destination_type = 'RUN' AND destination_id = ?
"""

DATASET_INPUTS = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
VALUES (?, 'DATASET', ?, 'RUN', ?)
"""

INPUT_TAGS = "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)"

# Upstream gives an input that is there a new id.
MODEL_INPUTS = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
VALUES (?, 'RUN_INPUT', ?, 'MODEL_INPUT', ?)
ON CONFLICT (source_type, source_id, destination_type, destination_id) DO UPDATE SET input_uuid = excluded.input_uuid
"""

MODEL_OUTPUTS = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?, ?)
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


def active_runs(
    cursor: Any, run_ids: list[str], with_workspace: bool, to_change: bool
) -> list[tuple[Any, ...]]:
    """Return the active ones of those runs, as the fields of a ``RunRow``: with neither option, the first two."""
    statement = RUNS_IN_FULL if with_workspace or to_change else RUNS
    return cursor.execute(statement, (json.dumps(run_ids),)).fetchall()  # type: ignore[no-any-return]


def active_experiments(cursor: Any, experiment_ids: list[int]) -> list[tuple[Any, ...]]:
    """Return ``(experiment_id, workspace, artifact_location)`` of those experiments that exist and are active."""
    return cursor.execute(EXPERIMENTS, (json.dumps(experiment_ids),)).fetchall()  # type: ignore[no-any-return]


def param_values(cursor: Any, columns: Sequence[list[Any]]) -> list[tuple[str, str, str]]:
    """Return ``(run_uuid, key, value)`` as stored, of the params named by ``columns`` (run_uuid, key)."""
    return cursor.execute(PARAM_VALUES, (json.dumps(list(zip(*columns, strict=True))),)).fetchall()  # type: ignore[no-any-return]


def dataset_ids(cursor: Any, experiment_id: int, names: list[str], digests: list[str]) -> list[tuple[str, str, str]]:
    """Return ``(name, digest, dataset_uuid)`` of the experiment's data sets with one of those names and digests."""
    found = cursor.execute(DATASET_IDS, (experiment_id, json.dumps(names), json.dumps(digests)))
    return found.fetchall()  # type: ignore[no-any-return]


def datasets_used(cursor: Any, run_id: str, dataset_uuids: list[str]) -> list[tuple[str]]:
    """Return those of the data sets that are inputs of the run."""
    return cursor.execute(DATASETS_USED, (json.dumps(dataset_uuids), run_id)).fetchall()  # type: ignore[no-any-return]


def insert(cursor: Any, statement: str, columns: Sequence[list[Any]]) -> None:
    """Run one of the statements above for each row."""
    cursor.executemany(statement, zip(*columns, strict=True))


def may_succeed_alone(error: BaseException) -> bool:
    """Return False: a group holds the write lock, nothing can stand in its way."""
    return False
