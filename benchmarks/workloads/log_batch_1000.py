"""1000 metrics per request, the most that one may hold, as asynchronous logging sends them."""

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.workloads.writing import metric_workload, metrics_body

WORKLOAD = metric_workload(
    "log_batch_1000",
    "log-batch of 1000 metrics (100 keys, 10 steps), each of 20 clients on its own run",
    Template("POST", f"{API}/runs/log-batch", metrics_body(keys=100, steps=10)),
    rows=1000,
)
