"""The points of a chart over ten runs, as the UI asks for them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from benchmarks.failures import CheckFailed
from benchmarks.load import Template
from benchmarks.seeding import LOSS, run_id
from benchmarks.workloads.reading import HISTORIES, POINTS, read_workload
from benchmarks.workloads.writing import expect

RUNS = [run_id(number) for number in HISTORIES]
RESULTS = 320


def check(answer: Mapping[str, Any]) -> None:
    """Each run must have about as many points as were asked for, its first and its last among them.

    Which ones lie between differs from release to release of MLflow.
    """
    steps: dict[str, list[int]] = defaultdict(list)
    for metric in answer["metrics"]:
        steps[metric["run_id"]].append(int(metric["step"]))
    expect("the runs", sorted(steps), RUNS)
    for found in steps.values():
        if not 0.9 * RESULTS <= len(found) <= 1.1 * RESULTS or {1, POINTS} - set(found):
            raise CheckFailed(
                f"of {POINTS} points {len(found)} are answered, from {min(found)} to {max(found)}"
            )


WORKLOAD = read_workload(
    "history_interval",
    "metrics/get-history-bulk-interval, 320 points of each of 10 runs with 10,000, 4 clients",
    Template(
        "GET",
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?"
        + "&".join(f"run_ids={run}" for run in RUNS)
        + f"&metric_key={LOSS}&max_results={RESULTS}",
    ),
    check,
    connections=4,
)
