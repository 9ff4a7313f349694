"""What the workloads that log metrics share: runs to log to, the check of one request, the count of rows."""

from __future__ import annotations

import json
from dataclasses import replace

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.failures import CheckFailed
from benchmarks.load import Template
from benchmarks.rounds import LoadWorkload

CHECKED_STEP = 7
ROWS = "SELECT key, value, timestamp, step FROM {table} WHERE run_uuid = :run ORDER BY key"
LATEST_AGREES = """
SELECT count(*) FROM (SELECT run_uuid, key, max(step) AS step FROM metrics GROUP BY run_uuid, key) AS history
LEFT JOIN latest_metrics AS latest ON latest.run_uuid = history.run_uuid AND latest.key = history.key
WHERE latest.step IS NULL OR latest.step <> history.step
"""


def metric_workload(name: str, title: str, request: Template, rows: int) -> LoadWorkload:
    """A workload whose every request stores ``rows`` new metric rows of one run at a step of its own."""
    return LoadWorkload(
        name,
        title,
        replace(request, path=API + request.path),
        setup=make_runs,
        check=check_request,
        stored=stored_since,
        verify=verify_latest,
        rows_per_request=rows,
    )


def batch_body(keys: int) -> str:
    """Return the mlflow client's log-batch body with one value for each of ``keys`` metrics."""
    metrics = ", ".join(
        f'{{"key": "metric_{i}", "value": {i}.69314718@step@, "timestamp": 1700000000000, "step": @step@}}'
        for i in range(keys)
    )
    return f'{{"run_id": "@run@", "metrics": [{metrics}]}}'


def make_runs(client: Client, count: int) -> list[str]:
    """Return ``count`` new runs of a new experiment."""
    return client.create_runs(client.create_experiment("bench"), count)


def check_request(client: Client, database: Database, request: Template, run: str) -> None:
    """Send one request and compare the rows of history and of latest metrics with its body."""
    method, path, body = request.filled(run, CHECKED_STEP)
    answer = client.send(method, path, body)
    if json.loads(answer) != {}:
        raise CheckFailed(f"{path} answered {answer[:200]!r}")
    sent = json.loads(body)
    metrics = sent.get("metrics", [sent])
    expected = sorted(
        (metric["key"], metric["value"], metric["timestamp"], metric["step"]) for metric in metrics
    )
    for table in ("metrics", "latest_metrics"):
        found = sorted(database.rows(ROWS.format(table=table), run=run))
        if found != expected:
            raise CheckFailed(f"{table} holds {found[:3]}.. ({len(found)} rows), sent were {expected[:3]}..")


def stored_since(database: Database, first_step: int) -> int:
    """Return the number of metric rows from ``first_step`` on."""
    return database.number("SELECT count(*) FROM metrics WHERE step >= :first", first=first_step)


def verify_latest(database: Database) -> None:
    """Each (run, key) must have its latest metric at the highest step of its history."""
    wrong = database.number(LATEST_AGREES)
    if wrong:
        raise CheckFailed(f"latest_metrics is wrong or missing for {wrong} (run, key) pairs")
