"""One metric value per request, as ``mlflow.log_metric`` sends it."""

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.workloads.writing import metric_workload

# The literal body of the mlflow client 3.17.2, which sends run_uuid and run_id both.
BODY = (
    '{"run_uuid": "@run@", "key": "loss", "value": 0.69314718@step@, "timestamp": 1700000000000, '
    '"step": @step@, "run_id": "@run@"}'
)

WORKLOAD = metric_workload(
    "log_metric",
    "log-metric, each of 20 clients on its own run",
    Template("POST", f"{API}/runs/log-metric", BODY),
    rows=1,
    quick=True,
)
