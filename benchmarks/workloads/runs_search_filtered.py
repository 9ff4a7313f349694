"""The best runs of an experiment: filtered by a metric and a param, ordered by a metric."""

from benchmarks.workloads.reading import RUNS, search_body, search_workload

WORKLOAD = search_workload(
    "runs_search_filtered",
    "runs/search, 100 of 1000 runs by a metric and a param, ordered by a metric, 4 clients",
    # All runs but the first 200 are left.
    search_body(
        100, "metrics.metric_1 > 1.2005 and params.param_1 LIKE 'value 1%'", ["metrics.metric_2 DESC"]
    ),
    range(RUNS, RUNS - 100, -1),
    connections=4,
)
