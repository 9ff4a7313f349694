"""PostgreSQL's statements: one per table and group, whatever the group's size, over arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

RUNS = """
SELECT r.run_uuid, r.experiment_id FROM runs r
WHERE r.run_uuid = ANY(%s) AND r.lifecycle_stage = 'active'
"""

RUNS_IN_WORKSPACE = """
SELECT r.run_uuid, r.experiment_id, e.workspace FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.run_uuid = ANY(%s) AND r.lifecycle_stage = 'active'
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

LOCK_TIMEOUT_MS = 200
"""How long a group waits for a row that another transaction holds; then its members go one by one."""

RETRY = {"40001", "40P01", "55P03"}
"""SQLSTATEs after which the same rows may well succeed: serialisation failure, deadlock, lock timeout."""


def transact(connection: Any, work: Callable[[Any], T], in_group: bool) -> T:
    """Return ``work(cursor)``, run within a transaction that is committed after it, or rolled back."""
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


def active_runs(cursor: Any, run_ids: list[str], with_workspace: bool) -> list[tuple[Any, ...]]:
    """Return ``(run_uuid, experiment_id[, workspace])`` of those runs that exist and are active."""
    cursor.execute(RUNS_IN_WORKSPACE if with_workspace else RUNS, (run_ids,))
    return cursor.fetchall()  # type: ignore[no-any-return]


def param_values(cursor: Any, columns: Sequence[list[Any]]) -> list[tuple[str, str, str]]:
    """Return ``(run_uuid, key, value)`` as stored, of the params named by ``columns`` (run_uuid, key)."""
    cursor.execute(PARAM_VALUES, columns)
    return cursor.fetchall()  # type: ignore[no-any-return]


def insert(cursor: Any, statement: str, columns: Sequence[list[Any]]) -> None:
    """Run one of the statements above, with one array per parameter."""
    cursor.execute(statement, columns)


def may_succeed_alone(error: BaseException) -> bool:
    """Return whether the same rows may well be stored by a later attempt: it was about locks, not about them."""
    return (getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)) in RETRY
