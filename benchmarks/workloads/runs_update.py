"""The end of a run, as ``MlflowClient.set_terminated`` sends it."""

from benchmarks.client import API, Client
from benchmarks.databases import Database
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload
from benchmarks.workloads.writing import expect, fill_runs, sent_once

BODY = '{"run_uuid": "@run@", "status": "FINISHED", "end_time": 1700@step@, "run_id": "@run@"}'


def check(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one request; compare its answer and the run's row."""
    run = data.runs[0]
    sent, answer = sent_once(client, request, run)
    info = answer["run_info"]
    expect("the answer", (info["run_id"], info["status"]), (run, sent["status"]))
    found = database.rows("SELECT status, end_time FROM runs WHERE run_uuid = :run", run=run)
    expect("the run's row", found, [(sent["status"], sent["end_time"])])


WORKLOAD = LoadWorkload(
    "runs_update",
    "runs/update at a run's end, each of 20 clients its own run",
    Template("POST", f"{API}/runs/update", BODY),
    fill=fill_runs,
    check=check,
)
