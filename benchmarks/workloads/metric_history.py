"""The whole history of a metric, as ``MlflowClient.get_metric_history`` asks for it."""

from collections.abc import Mapping
from typing import Any

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.seeding import LOSS, run_id
from benchmarks.workloads.reading import HISTORIES, POINTS, read_workload
from benchmarks.workloads.writing import expect

RUN = run_id(HISTORIES[0])


def check(answer: Mapping[str, Any]) -> None:
    """All points must be there; mlflow-go does not order them."""
    points = [(int(metric["step"]), metric["value"]) for metric in answer["metrics"]]
    expect("the steps", sorted(step for step, _ in points), list(range(1, POINTS + 1)))
    expect("the values", [round(value * step, 9) for step, value in points], [1.0] * POINTS)


WORKLOAD = read_workload(
    "metric_history",
    "metrics/get-history, 10,000 points, 4 clients",
    Template(
        "GET",
        f"{API}/metrics/get-history?run_uuid={RUN}&metric_key={LOSS}&run_id={RUN}&max_results=25000",
    ),
    check,
    connections=4,
    quick=True,
)
