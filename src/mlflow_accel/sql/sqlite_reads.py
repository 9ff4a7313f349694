"""SQLite's reads: a statement per table, all in one visit to the thread pool and in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from mlflow_accel.sql.sqlite_threads import ThreadedConnection, in_thread

T = TypeVar("T")
Row = Sequence[Any]
Pieces = Sequence[Sequence[Any]]
"""Per piece, its columns."""

RUN = """
SELECT run_uuid, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage
FROM runs WHERE run_uuid = ?
"""
RUN_IN_WORKSPACE = """
SELECT r.run_uuid, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri,
    r.lifecycle_stage
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.run_uuid = ? AND e.workspace = ?
"""
METRICS = """
SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END, timestamp, step FROM latest_metrics
WHERE run_uuid IN (SELECT value FROM json_each(?))
"""
PARAMS = "SELECT run_uuid, key, value FROM params WHERE run_uuid IN (SELECT value FROM json_each(?))"
TAGS = "SELECT run_uuid, key, value FROM tags WHERE run_uuid IN (SELECT value FROM json_each(?))"
# The data sets that runs used, with their tags; and the models that they took in and put out.
INPUTS = """
SELECT 'RUN' AS kind, i.destination_id, d.dataset_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
    d.dataset_schema, d.dataset_profile, t.name, t.value
FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid
WHERE i.destination_type = 'RUN' AND i.destination_id IN (SELECT value FROM json_each(:ids))
UNION ALL
SELECT destination_type, source_id, destination_id, step, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM inputs
WHERE source_id IN (SELECT value FROM json_each(:ids)) AND (
    source_type = 'RUN_OUTPUT' AND destination_type = 'MODEL_OUTPUT'
    OR source_type = 'RUN_INPUT' AND destination_type = 'MODEL_INPUT'
)
"""


EXPERIMENT_TAGS = """
SELECT experiment_id, key, value FROM experiment_tags WHERE experiment_id IN (SELECT value FROM json_each(?))
"""

HISTORY = """
SELECT CASE WHEN is_nan THEN NULL ELSE value END, timestamp, step FROM metrics WHERE run_uuid = ? AND key = ?
ORDER BY timestamp, step, metrics.value LIMIT ? OFFSET ?
"""

HISTORIES = """
SELECT CASE WHEN is_nan THEN NULL ELSE value END, timestamp, step, run_uuid FROM metrics
WHERE key = :key AND run_uuid IN (SELECT value FROM json_each(:ids)) AND (:workspace IS NULL OR run_uuid IN (
    SELECT r.run_uuid FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE e.workspace = :workspace
))
ORDER BY run_uuid, timestamp, step, metrics.value LIMIT :limit
"""

# See postgresql_reads.
SAMPLES = """
SELECT run_uuid, CASE WHEN is_nan THEN NULL ELSE value END, timestamp, step FROM (
    SELECT *, n / :buckets AS size, n % :buckets AS longer FROM (
        SELECT run_uuid, value, timestamp, step, is_nan,
            row_number() OVER (PARTITION BY run_uuid ORDER BY step, timestamp, value, is_nan) - 1 AS i,
            count(*) OVER (PARTITION BY run_uuid) AS n
        FROM metrics WHERE key = :key AND run_uuid IN (SELECT value FROM json_each(:ids))
            AND (:start IS NULL OR step BETWEEN :start AND :end)
    )
)
WHERE i = n - 1 OR size = 0 OR (i <> n - size AND CASE
    WHEN i < longer * (size + 1) THEN i % (size + 1) = 0 ELSE (i - longer * (size + 1)) % size = 0 END)
ORDER BY run_uuid, i
"""

VISIBLE = """
SELECT r.run_uuid FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.run_uuid IN (SELECT value FROM json_each(?)) AND e.workspace = ?
"""

CHUNK = 5000
"""How many points of a history are in a piece."""


class Rows(list[Row]):
    """The rows of a result."""

    def piece(self, first: int, last: int) -> Sequence[Row]:
        """Return the rows from ``first`` up to ``last``, exclusive."""
        return self[first:last]


def read(connection: ThreadedConnection, work: Callable[[Any], T]) -> T:
    """Return ``work(cursor)``, run within a transaction that sees one state of the database."""

    def visit() -> T:
        cursor = sqlite3.Connection.cursor(connection, sqlite3.Cursor)
        cursor.execute("BEGIN")
        try:
            return work(cursor)
        finally:
            if connection.in_transaction:
                cursor.execute("ROLLBACK")

    if not connection.managed:
        connection.set_up()
    return in_thread(visit)


def run(cursor: Any, run_id: str, workspace: str | None) -> Rows:
    """Return the row of a run, in the form of ``store.runs.RUN``; none if it is missing, or not of the workspace."""
    if workspace is None:
        cursor.execute(RUN, (run_id,))
    else:
        cursor.execute(RUN_IN_WORKSPACE, (run_id, workspace))
    return _with_children(cursor, cursor.fetchall())


def runs(cursor: Any, page: str, parameters: Sequence[Any], order: str) -> Rows:
    """Return the rows of the runs that the query ``page`` selects, in its order."""
    return _with_children(cursor, cursor.execute(page, parameters).fetchall())


def _with_children(cursor: Any, found: list[Row]) -> Rows:
    if not found:
        return Rows()
    ids = json.dumps([row[0] for row in found])
    metrics = _columns(cursor.execute(METRICS, (ids,)))
    params = _columns(cursor.execute(PARAMS, (ids,)))
    tags = _columns(cursor.execute(TAGS, (ids,)))
    by_kind = defaultdict(list)
    for kind, *row in cursor.execute(INPUTS, {"ids": ids}):
        by_kind[kind].append(row)
    datasets = _datasets(by_kind["RUN"])
    outputs = _columns(row[:3] for row in by_kind["MODEL_OUTPUT"])
    inputs = _columns(row[:2] for row in by_kind["MODEL_INPUT"])
    rows = Rows()
    for run_id, experiment_id, name, *rest in found:
        keys, values = tags.get(run_id, (None, None))
        # A run's name may be in its tag only (MLflow before 1.30).
        if not name and keys and "mlflow.runName" in keys:
            name = values[keys.index("mlflow.runName")] or name
        rows.append(
            (
                run_id,
                experiment_id,
                name,
                *rest[:6],
                *metrics.get(run_id, (None,) * 4),
                *params.get(run_id, (None,) * 2),
                keys,
                values,
                datasets.get(run_id),
                *outputs.get(run_id, (None,) * 2),
                *inputs.get(run_id, (None,)),
            )
        )
    return rows


def _columns(rows: Iterable[Row]) -> dict[str, Any]:
    """Return, for each value of the first column, the others as columns."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return {key: tuple(zip(*group, strict=True))[1:] for key, group in groups.items()}


def _datasets(rows: Iterable[Row]) -> dict[str, bytes]:
    """Return the JSON objects of each run's datasets, joined by commas."""
    groups: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for run_id, uuid, name, digest, source_type, source, schema, profile, key, value in rows:
        found = groups[run_id].get(uuid)
        if found is None:
            dataset = {"name": name, "digest": digest, "source_type": source_type, "source": source}
            if schema:
                dataset["schema"] = schema
            if profile:
                dataset["profile"] = profile
            found = groups[run_id][uuid] = {"tags": [], "dataset": dataset}
        if key is not None:
            found["tags"].append({"key": key, "value": value})
    for group in groups.values():
        for found in group.values():
            if not found["tags"]:
                del found["tags"]
    return {run_id: b",".join(map(msgspec.json.encode, group.values())) for run_id, group in groups.items()}


def experiments(cursor: Any, page: str, parameters: Sequence[Any], order: str) -> Rows:
    """Return the experiments that the query ``page`` selects, in the form of ``store.experiments.EXPERIMENT``."""
    found = cursor.execute(page, parameters).fetchall()
    tags: dict[Any, Any] = {}
    if found:
        tags = _columns(cursor.execute(EXPERIMENT_TAGS, (json.dumps([row[0] for row in found]),)))
    return Rows((*row[:6], *tags.get(row[0], (None, None)), row[6]) for row in found)


def visible(cursor: Any, run_ids: Sequence[str], workspace: str) -> set[str]:
    """Return those of the runs that belong to the workspace."""
    return {row[0] for row in cursor.execute(VISIBLE, (json.dumps(list(run_ids)), workspace))}


def history(cursor: Any, run_id: str, key: str, limit: int | None, offset: int) -> Pieces:
    """Return columns of a metric's points (value, timestamp, step), in pieces; by timestamp, step and value."""
    return _pieces(cursor.execute(HISTORY, (run_id, key, -1 if limit is None else limit, offset)))


def histories(cursor: Any, run_ids: Sequence[str], key: str, limit: int, workspace: str | None) -> Pieces:
    """Return columns of the points of several runs (value, timestamp, step, run_uuid), in pieces; by run, then so."""
    values = {"ids": json.dumps(list(run_ids)), "key": key, "limit": limit, "workspace": workspace}
    return _pieces(cursor.execute(HISTORIES, values))


def samples(
    cursor: Any, run_ids: Sequence[str], key: str, buckets: int, steps: tuple[int, int] | None
) -> dict[str, Sequence[Any]]:
    """Return, by run, columns of so many points at most (value, timestamp, step), as upstream samples them."""
    start, end = steps or (None, None)
    values = {"ids": json.dumps(list(run_ids)), "key": key, "buckets": buckets, "start": start, "end": end}
    return _columns(cursor.execute(SAMPLES, values))


def _pieces(cursor: Any) -> Pieces:
    pieces = []
    while rows := cursor.fetchmany(CHUNK):
        pieces.append(tuple(zip(*rows, strict=True)))
    return pieces
