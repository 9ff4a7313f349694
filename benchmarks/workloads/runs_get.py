"""One run, as ``MlflowClient.get_run`` asks for it."""

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.seeding import DENSE
from benchmarks.workloads.reading import check_run, read_workload

WORKLOAD = read_workload(
    "runs_get",
    "runs/get of a run with 10 metrics, 10 params, 3 tags, 20 clients",
    Template("GET", f"{API}/runs/get?run_uuid=@run@&run_id=@run@"),
    lambda answer: check_run(answer["run"], 1, DENSE),
    quick=True,
)
