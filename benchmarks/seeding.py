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

# The same text runs on SQLite and PostgreSQL. A run's id is its number, padded to 32 digits.
_NUMBERS = """
WITH RECURSIVE run(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM run WHERE i < :runs),
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
    metrics={"context_id": "1", "iter": "1"},
    latest_metrics={"context_id": "1", "last_iter": "1"},
)


def seed_runs(database: Database, experiment: int, runs: int, shape: Shape) -> None:
    """Add ``runs`` finished runs of ``shape`` to an experiment of a database that has no seeded runs yet."""
    layout = _layout(database)
    database.execute(_runs(layout), runs=runs, experiment=experiment, items=1)
    for table, more in (("metrics", layout.metrics), ("latest_metrics", layout.latest_metrics)):
        database.execute(_metrics(table, more), runs=runs, items=shape.metrics)
    database.execute(_texts("params", layout.value, "param"), runs=runs, items=shape.params)
    database.execute(_texts("tags", "value", "tag"), runs=runs, items=shape.tags)
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
