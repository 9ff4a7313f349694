"""What a job runner puts back before it starts, of the jobs that a killed one has left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.processes import clean_environment

PROGRAM = """
import json, os, sys, time
from mlflow.server import handlers
from mlflow.server.jobs import utils
from mlflow_accel.server import job_runner

store, name = handlers._get_job_store(), "invoke_scorer"
huey = utils._get_or_init_huey_instance(name)
jobs = {each: store.create_job(name, "{}").job_id for each in ("queued", "taken", "running", "done", "later")}
for each in ("running", "done"):
    store.start_job(jobs[each])
store.finish_job(jobs["done"], "1")
huey.submit_task(jobs["queued"], None, name, {"kept": 1}, None, False)
assert huey.instance.lock_task("held").acquire()
up_to = max(store.get_job(job_id).creation_time for job_id in jobs.values())
time.sleep(0.01)
waking = store.create_job(name, "{}").job_id
os.environ["_MLFLOW_SERVER_UP_TIME"] = str(up_to)
job_runner._put_back()
by_id = {job_id: each for each, job_id in {**jobs, "waking": waking}.items()}
print(json.dumps({
    "queued": sorted((by_id[task.args[0]], task.args[3]) for task in huey.instance.pending()),
    "states": {each: store.get_job(job_id).status.value for job_id, each in by_id.items()},
    "locked": huey.instance.is_locked("held"),
    "up_time": os.environ["_MLFLOW_SERVER_UP_TIME"],
}))
"""


def test_what_waits_in_no_queue_is_queued_once(sqlite_uri: str, tmp_path: Path) -> None:
    environment = {"_MLFLOW_SERVER_FILE_STORE": sqlite_uri, "_MLFLOW_HUEY_STORAGE_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # What was queued keeps what it was queued with; the job that wakes the runner is queued by who created it.
    assert found["queued"] == [["later", {}], ["queued", {"kept": 1}], ["running", {}], ["taken", {}]]
    assert found["states"] == {
        **dict.fromkeys(("queued", "taken", "running", "later", "waking"), "PENDING"),
        "done": "SUCCEEDED",
    }
    assert not found["locked"]
    assert found["up_time"] == "0"
