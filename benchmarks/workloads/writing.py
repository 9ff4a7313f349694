"""What the workloads that write share: runs to write to, checks of what one request has stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.failures import CheckFailed
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload, Rows

CHECKED_STEP = 7
ROWS = "SELECT key, value, timestamp, step FROM {table} WHERE run_uuid = :run ORDER BY key"
LATEST_AGREES = """
SELECT count(*) FROM (SELECT run_uuid, key, max(step) AS step FROM metrics GROUP BY run_uuid, key) AS history
LEFT JOIN latest_metrics AS latest ON latest.run_uuid = history.run_uuid AND latest.key = history.key
WHERE latest.step IS NULL OR latest.step <> history.step
"""


def metric_workload(
    name: str, title: str, request: Template, rows: int, *, quick: bool = False
) -> LoadWorkload:
    """A workload whose every request stores ``rows`` new metric rows of one run at steps of its own."""
    return LoadWorkload(
        name,
        title,
        request,
        fill=fill_runs,
        check=check_metrics,
        rows=Rows("metrics", rows),
        verify=verify_latest,
        quick=quick,
    )


def metrics_body(keys: int, steps: int = 1) -> str:
    """Return the mlflow client's log-batch body: a value for each of ``keys`` metrics at each of ``steps``.

    With several steps, a decimal digit after the request's number tells them apart: there are 10 at most.
    """
    metrics = ", ".join(
        f'{{"key": "metric_{i}", "value": {i}.69314718@step@, "timestamp": 1700000000000, "step": {step}}}'
        for step in (["@step@"] if steps == 1 else [f"@step@{digit}" for digit in range(steps)])
        for i in range(keys)
    )
    return f'{{"run_id": "@run@", "metrics": [{metrics}]}}'


def params_body(count: int, prefix: str = "param") -> str:
    """Return the mlflow client's log-batch body with ``count`` params, whose keys begin with ``prefix``."""
    params = ", ".join(f'{{"key": "{prefix}_{i}", "value": "value {i}"}}' for i in range(count))
    return f'{{"run_id": "@run@", "params": [{params}]}}'


def fill_runs(client: Client, database: Database, count: int) -> Data:
    """Make ``count`` runs of a new experiment."""
    experiment = client.create_experiment("bench")
    return Data(client.create_runs(experiment, count), {"experiment": experiment})


def sent_once(client: Client, request: Template, run: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send one request; return what was sent and what was answered, decoded."""
    method, path, body = request.filled(run, CHECKED_STEP)
    return json.loads(body), json.loads(client.send(method, path, body))


def expect(what: str, found: object, expected: object) -> None:
    """Raise ``CheckFailed`` unless the two are equal."""
    if found != expected:
        raise CheckFailed(f"{what} is {str(found)[:200]}, expected was {str(expected)[:200]}")


def check_metrics(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one request and compare the rows of history and of latest metrics with its body."""
    run = data.runs[0]
    sent, answer = sent_once(client, request, run)
    expect(f"the answer of {request.path}", answer, {})
    history = [
        (metric["key"], metric["value"], metric["timestamp"], metric["step"])
        for metric in sent.get("metrics", [sent])
    ]
    latest = {row[0]: row for row in sorted(history, key=lambda row: row[3])}
    for table, expected in (("metrics", history), ("latest_metrics", latest.values())):
        expect(f"table {table}", sorted(database.rows(ROWS.format(table=table), run=run)), sorted(expected))


def verify_latest(database: Database) -> None:
    """Each (run, key) must have its latest metric at the highest step of its history."""
    expect("the number of wrong or missing latest metrics", database.number(LATEST_AGREES), 0)


def check_params(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one request and ask for the run's params."""
    run = data.runs[0]
    sent, answer = sent_once(client, request, run)
    expect(f"the answer of {request.path}", answer, {})
    found = client.get(f"/runs/get?run_id={run}")["run"]["data"].get("params", [])
    expect(
        "the run's params",
        {param["key"]: param["value"] for param in found},
        {param["key"]: param["value"] for param in sent["params"]},
    )


def fill_runs_with_params(count: int) -> Callable[[Client, Database, int], Data]:
    """Return a filler whose runs have the params of ``params_body(count)``."""

    def fill(client: Client, database: Database, clients: int) -> Data:
        data = fill_runs(client, database, clients)
        for run in data.runs:
            client.send("POST", f"{API}/runs/log-batch", params_body(count).replace("@run@", run))
        return data

    return fill


def params_again(name: str, count: int) -> LoadWorkload:
    """A workload that logs the same ``count`` params of a run again and again, as a resumed script does."""
    return LoadWorkload(
        name,
        f"log-batch of {count} params that were logged before, each of 20 clients on its own run",
        Template("POST", f"{API}/runs/log-batch", params_body(count)),
        fill=fill_runs_with_params(count),
        check=check_params,
        rows=Rows("params", 0),
    )
