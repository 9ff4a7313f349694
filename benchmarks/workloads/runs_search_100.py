"""The first page of an experiment with 1000 runs, as the UI and the client ask for it."""

from benchmarks.workloads.reading import RUNS, search_body, search_workload

WORKLOAD = search_workload(
    "runs_search_100",
    "runs/search, 100 of 1000 runs with 10 metrics, 10 params, 3 tags each, 4 clients",
    search_body(100),
    range(RUNS, RUNS - 100, -1),
    connections=4,
    quick=True,
)
