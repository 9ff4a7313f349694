"""10 params per request that the run has not yet, as ``mlflow.log_params`` sends them."""

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.rounds import LoadWorkload, Rows
from benchmarks.workloads.writing import check_params, fill_runs, params_body

WORKLOAD = LoadWorkload(
    "log_params_10",
    "log-batch of 10 new params, each of 20 clients on its own run, which grows",
    Template("POST", f"{API}/runs/log-batch", params_body(10, prefix="param_@step@")),
    fill=fill_runs,
    check=check_params,
    rows=Rows("params", 10),
)
