"""The first page of an experiment whose runs hold much, as G-Research's do."""

from benchmarks.workloads.reading import WIDE, WIDE_FIRST, WIDE_RUNS, search_body, search_workload

WORKLOAD = search_workload(
    "runs_search_wide",
    "runs/search, 100 runs with 300 metrics, 150 params, 50 tags each, 1 client",
    search_body(100, experiment="@wide@"),
    range(WIDE_FIRST + WIDE_RUNS - 1, WIDE_FIRST - 1, -1),
    WIDE,
    connections=1,
)
