"""10 metrics of one step per request, as ``mlflow.log_metrics`` sends them."""

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.workloads.writing import metric_workload, metrics_body

WORKLOAD = metric_workload(
    "log_batch_10",
    "log-batch of 10 metrics (10 keys), each of 20 clients on its own run",
    Template("POST", f"{API}/runs/log-batch", metrics_body(keys=10)),
    rows=10,
)
