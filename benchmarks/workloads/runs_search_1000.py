"""All runs of an experiment at once, as ``mlflow.search_runs`` asks for them."""

from benchmarks.workloads.reading import RUNS, search_body, search_workload

WORKLOAD = search_workload(
    "runs_search_1000",
    "runs/search, 1000 runs with 10 metrics, 10 params, 3 tags each, 1 client",
    search_body(1000),
    range(RUNS, 0, -1),
    connections=1,
)
