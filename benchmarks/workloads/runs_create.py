"""A new run with the tags of a script, as ``mlflow.start_run`` sends it."""

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload, Rows
from benchmarks.workloads.writing import expect, fill_runs, sent_once

BODY = (
    '{"experiment_id": "@experiment@", "user_id": "bench", "run_name": "sweep-@step@", '
    '"start_time": 1700@step@, "tags": [{"key": "mlflow.user", "value": "bench"}, '
    '{"key": "mlflow.source.name", "value": "train.py"}, {"key": "mlflow.source.type", "value": "LOCAL"}]}'
)


def check(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one request; compare its answer, the run's row and its tags."""
    sent, answer = sent_once(client, request, data.runs[0])
    info = answer["run"]["info"]
    expected = (sent["run_name"], sent["start_time"], "RUNNING", "active")
    found = (info["run_name"], int(info["start_time"]), info["status"], info["lifecycle_stage"])
    expect("the answer", found, expected)
    row = "SELECT name, start_time, status, lifecycle_stage FROM runs WHERE run_uuid = :run"
    expect("the run's row", database.rows(row, run=info["run_id"]), [expected])
    tags = dict(database.rows("SELECT key, value FROM tags WHERE run_uuid = :run", run=info["run_id"]))
    wanted = {tag["key"]: tag["value"] for tag in sent["tags"]}
    expect("the run's tags", {key: tags.get(key) for key in wanted}, wanted)


WORKLOAD = LoadWorkload(
    "runs_create",
    "runs/create with a name and 3 tags, 20 clients in one experiment",
    Template("POST", f"{API}/runs/create", BODY),
    fill=fill_runs,
    check=check,
    rows=Rows("runs", 1),
    quick=True,
)
