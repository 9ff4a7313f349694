"""Runs made in SQL, for databases that would take too long to fill over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from benchmarks.databases import Database


@dataclass(frozen=True)
class Shape:
    """What each seeded run holds."""

    metrics: int
    params: int
    tags: int


DENSE = Shape(metrics=10, params=10, tags=3)
LOSS = "loss"
"""The metric of ``seed_histories``."""

# The same text runs on SQLite and PostgreSQL.
_NUMBERS = """
WITH RECURSIVE run(i) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT i + 1 FROM run WHERE i < :last),
item(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM item WHERE k < :items)
"""
_ID = "substr('00000000000000000000000000000000' || i, length('' || i) + 1)"


@dataclass(frozen=True)
class _Layout:
    """What a server's tables have in other columns than MLflow's: column to SQL expression."""

    value: str = "value"
    """The column of a param's value."""
    runs: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    latest_metrics: Mapping[str, str] = field(default_factory=dict)


_MLFLOW = _Layout()
# The context of a metric that has none is the first row of its contexts.
_FASTTRACKML = _Layout(
    value="value_str",
    runs={"row_num": "i"},
    metrics={"context_id": "1", "iter": "k"},
    latest_metrics={"context_id": "1", "last_iter": "1"},
)


def run_id(number: int) -> str:
    """Return the id of the seeded run of this number."""
    return f"{number:032d}"


def seed_runs(database: Database, experiment: int, runs: int, shape: Shape, first: int = 1) -> None:
    """Add ``runs`` finished runs of ``shape``, numbered from ``first``, to an experiment."""
    layout = _layout(database)
    numbers = {"first": first, "last": first + runs - 1}
    database.execute(_runs(layout), **numbers, experiment=experiment, items=1)
    for table, more in (("metrics", layout.metrics), ("latest_metrics", layout.latest_metrics)):
        database.execute(_metrics(table, more), **numbers, items=shape.metrics)
    database.execute(_texts("params", layout.value, "param"), **numbers, items=shape.params)
    database.execute(_texts("tags", "value", "tag"), **numbers, items=shape.tags)
    database.settle()


def seed_bare_runs(database: Database, experiment: int, runs: int, first: int) -> None:
    """Add ``runs`` runs without metrics, params or tags: a million takes some seconds."""
    database.execute(
        _runs(_layout(database)), first=first, last=first + runs - 1, experiment=experiment, items=1
    )
    database.settle()


def seed_histories(database: Database, first: int, runs: int, points: int) -> None:
    """Give seeded runs a metric ``LOSS`` with ``points`` points: value 1/k at step k, a second apart."""
    layout = _layout(database)
    values = {
        "run_uuid": _ID,
        "key": f"'{LOSS}'",
        "value": "1.0 / k",
        "timestamp": "1700000000000 + 1000 * k",
        "step": "k",
        "is_nan": "FALSE",
    }
    history = _insert("metrics", {**values, **layout.metrics}, "run CROSS JOIN item")
    latest = _insert(
        "latest_metrics", {**values, **layout.latest_metrics}, "run CROSS JOIN item WHERE k = :items"
    )
    database.execute(history, latest, first=first, last=first + runs - 1, items=points)
    database.settle()


def _layout(database: Database) -> _Layout:
    columns = {column["name"] for column in sa.inspect(database.engine).get_columns("metrics")}
    return _FASTTRACKML if "context_id" in columns else _MLFLOW


def _runs(layout: _Layout) -> str:
    columns = {
        "run_uuid": _ID,
        "name": "'seeded-' || i",
        "source_type": "'UNKNOWN'",
        "source_name": "''",
        "entry_point_name": "''",
        "user_id": "'bench'",
        "status": "'FINISHED'",
        "start_time": "1700000000000 + i",
        "end_time": "1700000060000 + i",
        "source_version": "''",
        "lifecycle_stage": "'active'",
        "artifact_uri": f"'mlflow-artifacts:/' || :experiment || '/' || {_ID} || '/artifacts'",
        "experiment_id": ":experiment",
        **layout.runs,
    }
    return _insert("runs", columns, "run")


def _metrics(table: str, more: Mapping[str, str]) -> str:
    columns = {
        "run_uuid": _ID,
        "key": "'metric_' || k",
        "value": "i * 0.001 + k",
        "timestamp": "1700000000000 + i",
        "step": "1",
        "is_nan": "FALSE",
        **more,
    }
    return _insert(table, columns, "run CROSS JOIN item")


def _texts(table: str, value: str, key: str) -> str:
    columns = {"run_uuid": _ID, "key": f"'{key}_' || k", value: "'value ' || k || ' of run ' || i"}
    return _insert(table, columns, "run CROSS JOIN item")


def _insert(table: str, columns: Mapping[str, str], source: str) -> str:
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INSERT INTO {table} ({names}) {_NUMBERS} SELECT {values} FROM {source}"
