"""PostgreSQL's reads: one statement per answer, which is one snapshot.

The children of a run are aggregated into arrays by the database. PERF: 100 runs with 23 children each take 0.3 ms of
the client's CPU and 1.5 of the database's, against 1.5 and 1.9 for a statement per table and rows as Python's tuples
(psycopg 3, binary results; 1000 runs: 2.4 and 10.6 against 10.9 and 11.8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

Pieces = Sequence[Sequence[Any]]
"""Per piece, its columns."""

# A run's name may be in its tag only (MLflow before 1.30). NULL arrays: there are no such children.
_RUN = """
SELECT r.run_uuid, r.experiment_id, COALESCE(NULLIF(r.name, ''), NULLIF(t.name, ''), r.name), r.user_id, r.status,
    r.start_time, r.end_time, r.artifact_uri, r.lifecycle_stage,
    m.keys, m.vals, m.timestamps, m.steps, p.keys, p.vals, t.keys, t.vals, d.objects, o.ids, o.steps{inputs}
FROM ({page}) r
CROSS JOIN LATERAL (
    SELECT [key] AS keys, [CASE WHEN is_nan THEN 'NaN' ELSE value END] AS vals,
        [timestamp] AS timestamps, [step] AS steps
    FROM latest_metrics WHERE run_uuid = r.run_uuid
) m
CROSS JOIN LATERAL (
    SELECT [key] AS keys, [value] AS vals FROM params WHERE run_uuid = r.run_uuid
) p
CROSS JOIN LATERAL (
    SELECT [key] AS keys, [value] AS vals, max(value) FILTER (WHERE key = 'mlflow.runName') AS name
    FROM tags WHERE run_uuid = r.run_uuid
) t
CROSS JOIN LATERAL (
    SELECT string_agg(json_strip_nulls(row_to_json(n))::text, ',') AS objects FROM (
        SELECT (
            SELECT json_agg(row_to_json(g)) FROM (
                SELECT name AS key, value FROM input_tags WHERE input_uuid = i.input_uuid
            ) g
        ) AS tags, (
            SELECT row_to_json(s) FROM (
                SELECT d.name, d.digest, d.dataset_source_type AS source_type, d.dataset_source AS source,
                    NULLIF(d.dataset_schema, '') AS schema, NULLIF(d.dataset_profile, '') AS profile
            ) s
        ) AS dataset
        FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
        WHERE i.destination_type = 'RUN' AND i.destination_id = r.run_uuid
    ) n
) d
CROSS JOIN LATERAL (
    SELECT [destination_id] AS ids, [step] AS steps FROM inputs
    WHERE source_type = 'RUN_OUTPUT' AND source_id = r.run_uuid AND destination_type = 'MODEL_OUTPUT'
) o
"""

_MODEL_INPUTS = """, (
    SELECT [destination_id] FROM inputs
    WHERE source_type = 'RUN_INPUT' AND source_id = r.run_uuid AND destination_type = 'MODEL_INPUT'
)"""

_EXPERIMENTS = """
SELECT r.experiment_id, r.name, r.artifact_location, r.lifecycle_stage, r.last_update_time, r.creation_time, t.keys,
    t.vals, r.workspace
FROM ({page}) r
CROSS JOIN LATERAL (
    SELECT [key] AS keys, [value] AS vals FROM experiment_tags WHERE experiment_id = r.experiment_id
) t
ORDER BY {order}
"""

CHUNK = 5000
"""How many points of a history are in a row of its result."""

# The aggregates see the rows in the order of the subquery, which has them sorted for its row numbers.
_HISTORY = f"""
SELECT [value], [timestamp], [step] FROM (
    SELECT CASE WHEN is_nan THEN 'NaN' ELSE value END AS value, timestamp, step,
        (row_number() OVER (ORDER BY timestamp, step, value) - 1) / {CHUNK} AS chunk
    FROM (
        SELECT value, timestamp, step, is_nan FROM metrics WHERE run_uuid = %(run_id)s AND key = %(key)s
        ORDER BY timestamp, step, metrics.value LIMIT %(limit)s OFFSET %(offset)s
    ) page
) numbered GROUP BY chunk ORDER BY chunk
"""

_HISTORIES = f"""
SELECT [value], [timestamp], [step], [run_uuid] FROM (
    SELECT run_uuid, CASE WHEN is_nan THEN 'NaN' ELSE value END AS value, timestamp, step,
        (row_number() OVER (ORDER BY run_uuid, timestamp, step, value) - 1) / {CHUNK} AS chunk
    FROM (
        SELECT run_uuid, value, timestamp, step, is_nan FROM metrics
        WHERE run_uuid = ANY(%(run_ids)s) AND key = %(key)s {{workspace}}
        ORDER BY run_uuid, timestamp, step, metrics.value LIMIT %(limit)s
    ) page
) numbered GROUP BY chunk ORDER BY chunk
"""

_OF_WORKSPACE = """AND run_uuid IN (
    SELECT w.run_uuid FROM runs w JOIN experiments e ON e.experiment_id = w.experiment_id
    WHERE e.workspace = %(workspace)s
)"""

# The first point of each of so many buckets of equal size, as NTILE cuts them, but the run's last point in place of the
# last bucket's first one. Counted out of the points' numbers, so that one sort serves.
_SAMPLES = """
SELECT run_uuid, [value], [timestamp], [step] FROM (
    SELECT run_uuid, CASE WHEN is_nan THEN 'NaN' ELSE value END AS value, timestamp, step, i, n,
        n / %(buckets)s AS size, n %% %(buckets)s AS longer
    FROM (
        SELECT run_uuid, value, timestamp, step, is_nan,
            row_number() OVER (PARTITION BY run_uuid ORDER BY step, timestamp, value, is_nan) - 1 AS i,
            count(*) OVER (PARTITION BY run_uuid) AS n
        FROM metrics WHERE run_uuid = ANY(%(run_ids)s) AND key = %(key)s {steps}
    ) numbered
) cut
WHERE i = n - 1 OR size = 0 OR (i <> n - size AND CASE
    WHEN i < longer * (size + 1) THEN i %% (size + 1) = 0 ELSE (i - longer * (size + 1)) %% size = 0 END)
GROUP BY run_uuid
"""
_BETWEEN = "AND step BETWEEN %(start)s AND %(end)s"

_VISIBLE = """
SELECT w.run_uuid FROM runs w JOIN experiments e ON e.experiment_id = w.experiment_id
WHERE w.run_uuid = ANY(%(run_ids)s) AND e.workspace = %(workspace)s
"""

_BY_ID = "SELECT * FROM runs WHERE run_uuid = %(run_id)s"
_BY_ID_IN_WORKSPACE = """
SELECT w.* FROM runs w JOIN experiments e ON e.experiment_id = w.experiment_id
WHERE w.run_uuid = %(run_id)s AND e.workspace = %(workspace)s
"""


def is_binary(connection: Any) -> bool:
    """Return whether the driver gives results in PostgreSQL's binary form (psycopg 3), or Python's values."""
    return hasattr(connection, "pgconn")


@cache
def _with_arrays(statement: str, binary: bool) -> str:
    """Return the statement with arrays of what is in brackets: in binary form with either driver."""
    return re.sub(r"\[(.+?)\]", r"array_agg(\1)" if binary else r"array_send(array_agg(\1))", statement)


class Rows:
    """The rows of a result, taken out of the driver's memory piece by piece."""

    def __init__(self, cursor: Any) -> None:
        self._result = cursor.pgresult if is_binary(cursor.connection) else None
        self._fetched = cursor.fetchall() if self._result is None else []

    def __len__(self) -> int:
        return len(self._fetched) if self._result is None else self._result.ntuples

    def piece(self, first: int, last: int) -> Sequence[Sequence[Any]]:
        """Return the rows from ``first`` up to ``last``, exclusive. Bytes are in PostgreSQL's binary form."""
        if self._result is None:
            return [
                [bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]
                for row in self._fetched[first:last]
            ]
        get, columns = self._result.get_value, range(self._result.nfields)
        return [[get(row, column) for column in columns] for row in range(first, last)]


def read(connection: Any, work: Callable[[Any], T]) -> T:
    """Return ``work(cursor)``; each of its statements is a snapshot of its own."""
    # The drivers would send BEGIN in a round trip of its own.
    connection.autocommit = True
    try:
        with connection.cursor(binary=True) if is_binary(connection) else connection.cursor() as cursor:
            return work(cursor)
    finally:
        if not connection.closed:
            connection.autocommit = False


def run(cursor: Any, run_id: str, workspace: str | None) -> Rows:
    """Return the row of a run, in the form of ``store.runs.RUN``; none if it is missing, or not of the workspace."""
    page = _BY_ID if workspace is None else _BY_ID_IN_WORKSPACE
    return _rows(
        cursor, _RUN.format(inputs=_MODEL_INPUTS, page=page), {"run_id": run_id, "workspace": workspace}
    )


def runs(cursor: Any, page: str, parameters: Mapping[str, Any], order: str) -> Rows:
    """Return the rows of the runs that the query ``page`` selects, in the order of its columns ``order``."""
    return _rows(cursor, f"{_RUN.format(inputs='', page=page)} ORDER BY {order}", parameters)


def _rows(cursor: Any, statement: str, parameters: Mapping[str, Any]) -> Rows:
    cursor.execute(_with_arrays(statement, is_binary(cursor.connection)), parameters)
    return Rows(cursor)


def experiments(cursor: Any, page: str, parameters: Mapping[str, Any], order: str) -> Rows:
    """Return the experiments that the query ``page`` selects, in the form of ``store.experiments.EXPERIMENT``."""
    return _rows(cursor, _EXPERIMENTS.format(page=page, order=order), parameters)


def visible(cursor: Any, run_ids: Sequence[str], workspace: str) -> set[str]:
    """Return those of the runs that belong to the workspace."""
    cursor.execute(_VISIBLE, {"run_ids": list(run_ids), "workspace": workspace})
    rows = Rows(cursor)
    found = (row[0] for row in rows.piece(0, len(rows)))
    return {run_id.decode() if isinstance(run_id, bytes) else run_id for run_id in found}


def history(cursor: Any, run_id: str, key: str, limit: int | None, offset: int) -> Pieces:
    """Return columns of a metric's points (value, timestamp, step), in pieces; by timestamp, step and value."""
    return _pieces(cursor, _HISTORY, {"run_id": run_id, "key": key, "limit": limit, "offset": offset})


def histories(cursor: Any, run_ids: Sequence[str], key: str, limit: int, workspace: str | None) -> Pieces:
    """Return columns of the points of several runs (value, timestamp, step, run_uuid), in pieces; by run, then so."""
    statement = _HISTORIES.format(workspace="" if workspace is None else _OF_WORKSPACE)
    values = {"run_ids": list(run_ids), "key": key, "limit": limit, "workspace": workspace}
    return _pieces(cursor, statement, values)


def samples(
    cursor: Any, run_ids: Sequence[str], key: str, buckets: int, steps: tuple[int, int] | None
) -> dict[str, Sequence[Any]]:
    """Return, by run, columns of so many points at most (value, timestamp, step), as upstream samples them."""
    values = {"run_ids": list(run_ids), "key": key, "buckets": buckets}
    if steps is not None:
        values |= {"start": steps[0], "end": steps[1]}
    pieces = _pieces(cursor, _SAMPLES.format(steps="" if steps is None else _BETWEEN), values)
    return {run_id.decode() if isinstance(run_id, bytes) else run_id: columns for run_id, *columns in pieces}


def _pieces(cursor: Any, statement: str, parameters: Mapping[str, Any]) -> Pieces:
    rows = _rows(cursor, statement, parameters)
    return rows.piece(0, len(rows))
