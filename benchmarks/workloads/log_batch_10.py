"""10 metrics of one step per request, as ``mlflow.log_metrics`` sends them."""

from benchmarks.load import Template
from benchmarks.workloads.metrics import batch_body, metric_workload

WORKLOAD = metric_workload(
    "log_batch_10",
    "log-batch of 10 metrics (10 keys), each of 20 clients on its own run",
    Template("POST", "/runs/log-batch", batch_body(keys=10)),
    rows=10,
)
