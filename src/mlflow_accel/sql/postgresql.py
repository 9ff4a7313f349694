"""PostgreSQL's statements: one per table and group, whatever the group's size, over arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

RUNS = """
SELECT r.run_uuid, r.experiment_id FROM runs r
WHERE r.run_uuid = ANY(%s::text[]) AND r.lifecycle_stage = 'active'
"""

RUNS_IN_WORKSPACE = """
SELECT r.run_uuid, r.experiment_id, e.workspace FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.run_uuid = ANY(%s::text[]) AND r.lifecycle_stage = 'active'
"""

# Those that are to be changed are locked as they are read, in one order: what an UPDATE over unnest locks first, its
# plan decides.
RUNS_TO_CHANGE = """
SELECT r.run_uuid, r.experiment_id, e.workspace, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.run_uuid = ANY(%s::text[]) AND r.lifecycle_stage = 'active'
ORDER BY r.run_uuid FOR NO KEY UPDATE OF r
"""

EXPERIMENTS = """
SELECT e.experiment_id, e.workspace, e.artifact_location FROM experiments e
WHERE e.experiment_id = ANY(%s::int4[]) AND e.lifecycle_stage = 'active'
"""

NEW_RUNS = """
INSERT INTO runs (run_uuid, name, user_id, start_time, artifact_uri, experiment_id, source_type, source_name,
    entry_point_name, status, source_version, lifecycle_stage)
SELECT n.*, 'UNKNOWN', '', '', 'RUNNING', '', 'active'
FROM unnest(%s::text[], %s::text[], %s::text[], %s::int8[], %s::text[], %s::int4[]) AS n
"""

CHANGED_RUNS = """
UPDATE runs r SET name = n.name, status = n.status, end_time = n.end_time
FROM unnest(%s::text[], %s::text[], %s::int8[], %s::text[]) AS n(name, status, end_time, run_uuid)
WHERE r.run_uuid = n.run_uuid
"""

PARAMS = """
INSERT INTO params (run_uuid, key, value)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT DO NOTHING
"""

# A second statement, not a CTE of the first: within one, a value that was committed meanwhile is not seen.
PARAM_VALUES = """
SELECT p.run_uuid, p.key, p.value FROM params p
JOIN unnest(%s::text[], %s::text[]) AS n(run_uuid, key) ON p.run_uuid = n.run_uuid AND p.key = n.key
"""

METRICS = """
INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan)
SELECT * FROM unnest(%s::text[], %s::text[], %s::float8[], %s::int8[], %s::int8[], %s::bool[])
ON CONFLICT DO NOTHING
"""

LATEST = """
INSERT INTO latest_metrics AS l (run_uuid, key, value, timestamp, step, is_nan)
SELECT * FROM unnest(%s::text[], %s::text[], %s::float8[], %s::int8[], %s::int8[], %s::bool[])
ON CONFLICT (key, run_uuid) DO UPDATE SET
    value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value) > (l.step, l.timestamp, l.value)
"""

# No ON CONFLICT: upstream answers a second value at the same step with an error of its own.
MODEL_METRICS = """
INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value,
    experiment_id, run_id, dataset_name, dataset_digest)
SELECT * FROM unnest(%s::text[], %s::text[], %s::int8[], %s::int8[], %s::float8[], %s::int4[], %s::text[], %s::text[],
    %s::text[])
"""

TAGS = """
INSERT INTO tags AS t (run_uuid, key, value)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value WHERE t.value IS DISTINCT FROM excluded.value
"""

EXPERIMENT_TAGS = """
INSERT INTO experiment_tags AS t (experiment_id, key, value)
SELECT * FROM unnest(%s::int4[], %s::text[], %s::text[])
ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value WHERE t.value IS DISTINCT FROM excluded.value
"""

DELETE_TAG = "DELETE FROM tags WHERE run_uuid = %s AND key = %s"

STAGE = "UPDATE runs SET lifecycle_stage = %s, deleted_time = %s WHERE run_uuid = %s"

RUN_OF_ANY_STAGE = """
SELECT e.workspace FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.run_uuid = %s
"""

ASSESSMENT_WITH = "SELECT 1 FROM assessments WHERE assessment_metadata LIKE '%%' || %s::text || '%%' LIMIT 1"

DATASETS = """
INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema,
    dataset_profile)
SELECT * FROM unnest(%s::text[], %s::int4[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
"""

DATASET_IDS = """
SELECT name, digest, dataset_uuid FROM datasets WHERE experiment_id = %s AND name = ANY(%s) AND digest = ANY(%s)
"""

DATASETS_USED = """
SELECT source_id FROM inputs
WHERE source_type = 'DATASET' AND source_id = ANY(%s) AND destination_type = 'RUN' AND destination_id = %s
"""

DATASET_INPUTS = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
SELECT n.id, 'DATASET', n.dataset, 'RUN', n.run FROM unnest(%s::text[], %s::text[], %s::text[]) AS n(id, dataset, run)
"""

INPUT_TAGS = "INSERT INTO input_tags (input_uuid, name, value) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])"

# Upstream gives an input that is there a new id.
MODEL_INPUTS = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
SELECT n.id, 'RUN_INPUT', n.run, 'MODEL_INPUT', n.model FROM unnest(%s::text[], %s::text[], %s::text[])
    AS n(id, run, model)
ON CONFLICT (source_type, source_id, destination_type, destination_id) DO UPDATE SET input_uuid = excluded.input_uuid
"""

MODEL_OUTPUTS = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
SELECT n.id, 'RUN_OUTPUT', n.run, 'MODEL_OUTPUT', n.model, n.step
FROM unnest(%s::text[], %s::text[], %s::text[], %s::int8[]) AS n(id, run, model, step)
"""

LOCK_TIMEOUT_MS = 200
"""How long a group waits for a row that another transaction holds; then its members go one by one."""

RETRY = {"40001", "40P01", "55P03"}
"""SQLSTATEs after which the same rows may well succeed: serialisation failure, deadlock, lock timeout."""


def transact(connection: Any, work: Callable[[Any], T], in_group: bool) -> T:
    """Return ``work(cursor)``, run within a transaction that is committed after it, or rolled back."""
    if type(connection).__module__.startswith("psycopg.") and not hasattr(connection, "mlflow_accel_packs"):
        _arrays().prepare(connection)
    # Ours to begin: the drivers would send BEGIN in a round trip of its own.
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}" if in_group else "BEGIN")
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                cursor.execute("ROLLBACK")
            raise
        finally:
            if not connection.closed:
                connection.autocommit = False
    return result


def active_runs(
    cursor: Any, run_ids: list[str], with_workspace: bool, to_change: bool
) -> list[tuple[Any, ...]]:
    """Return the active ones of those runs, as the first fields of a ``RunRow``: two, three ``with_workspace``, all
    ``to_change``, and then they are locked."""
    insert(cursor, RUNS_TO_CHANGE if to_change else RUNS_IN_WORKSPACE if with_workspace else RUNS, (run_ids,))
    return cursor.fetchall()  # type: ignore[no-any-return]


def active_experiments(cursor: Any, experiment_ids: list[int]) -> list[tuple[Any, ...]]:
    """Return ``(experiment_id, workspace, artifact_location)`` of those experiments that exist and are active."""
    insert(cursor, EXPERIMENTS, (experiment_ids,))
    return cursor.fetchall()  # type: ignore[no-any-return]


def param_values(cursor: Any, columns: Sequence[list[Any]]) -> list[tuple[str, str, str]]:
    """Return ``(run_uuid, key, value)`` as stored, of the params named by ``columns`` (run_uuid, key)."""
    insert(cursor, PARAM_VALUES, columns)
    return cursor.fetchall()  # type: ignore[no-any-return]


def dataset_ids(cursor: Any, experiment_id: int, names: list[str], digests: list[str]) -> list[tuple[str, str, str]]:
    """Return ``(name, digest, dataset_uuid)`` of the experiment's data sets with one of those names and digests."""
    cursor.execute(DATASET_IDS, (experiment_id, names, digests))
    return cursor.fetchall()  # type: ignore[no-any-return]


def datasets_used(cursor: Any, run_id: str, dataset_uuids: list[str]) -> list[tuple[str]]:
    """Return those of the data sets that are inputs of the run."""
    cursor.execute(DATASETS_USED, (dataset_uuids, run_id))
    return cursor.fetchall()  # type: ignore[no-any-return]


def insert(cursor: Any, statement: str, columns: Sequence[list[Any]]) -> None:
    """Run one of the statements above, with one array per parameter."""
    packs = getattr(cursor.connection, "mlflow_accel_packs", False)
    cursor.execute(statement, _arrays().packed(statement, columns) if packs else columns)


@cache
def _arrays() -> Any:
    """Return the module that needs psycopg; there may be none, or psycopg2 only."""
    from mlflow_accel.sql import postgresql_arrays

    return postgresql_arrays


def may_succeed_alone(error: BaseException) -> bool:
    """Return whether the same rows may well be stored by a later attempt: it was about locks, not about them."""
    return (getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)) in RETRY
