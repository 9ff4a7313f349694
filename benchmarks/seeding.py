"""Runs made in SQL, for databases that would take too long to fill over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

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
_RUNS = f"""
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
                  end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
{_NUMBERS}
SELECT {_ID}, 'seeded-' || i, 'UNKNOWN', '', '', 'bench', 'FINISHED', 1700000000000 + i, 1700000060000 + i,
       '', 'active', 'mlflow-artifacts:/' || :experiment || '/' || {_ID} || '/artifacts', :experiment
FROM run
"""
_METRICS = f"""
INSERT INTO {{table}} (run_uuid, key, value, timestamp, step, is_nan)
{_NUMBERS}
SELECT {_ID}, 'metric_' || k, i * 0.001 + k, 1700000000000 + i, 1, FALSE FROM run CROSS JOIN item
"""
_TEXTS = f"""
INSERT INTO {{table}} (run_uuid, key, value)
{_NUMBERS}
SELECT {_ID}, '{{key}}_' || k, 'value ' || k || ' of run ' || i FROM run CROSS JOIN item
"""


def seed_runs(database: Database, experiment: int, runs: int, shape: Shape) -> None:
    """Add ``runs`` finished runs of ``shape`` to an experiment of a database that has no seeded runs yet."""
    database.execute(_RUNS, runs=runs, experiment=experiment, items=1)
    for table in ("metrics", "latest_metrics"):
        database.execute(_METRICS.format(table=table), runs=runs, items=shape.metrics)
    database.execute(_TEXTS.format(table="params", key="param"), runs=runs, items=shape.params)
    database.execute(_TEXTS.format(table="tags", key="tag"), runs=runs, items=shape.tags)
    database.settle()
