"""One tag per request, which the run has with another value, as ``mlflow.set_tag`` sends it."""

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload
from benchmarks.workloads.writing import expect, fill_runs, sent_once

BODY = '{"run_uuid": "@run@", "key": "phase", "value": "epoch @step@", "run_id": "@run@"}'


def check(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one request and look for the tag's row."""
    run = data.runs[0]
    sent, answer = sent_once(client, request, run)
    expect(f"the answer of {request.path}", answer, {})
    found = database.rows("SELECT value FROM tags WHERE run_uuid = :run AND key = 'phase'", run=run)
    expect("the tag", found, [(sent["value"],)])


WORKLOAD = LoadWorkload(
    "set_tag",
    "set-tag with a new value, each of 20 clients on its own run",
    Template("POST", f"{API}/runs/set-tag", BODY),
    fill=fill_runs,
    check=check,
)
