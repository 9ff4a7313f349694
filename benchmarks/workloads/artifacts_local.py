"""One large artifact, through the proxy, to a local directory and back."""

from __future__ import annotations

from benchmarks.alone import AloneWorkload
from benchmarks.bench import Bench
from benchmarks.kinds import Kind
from benchmarks.results import ServerResult
from benchmarks.workloads.artifacts import FIGURES, measure


def _measure(bench: Bench, kind: Kind, row: ServerResult) -> dict[str, float]:
    return measure(bench, kind, None)


WORKLOAD = AloneWorkload(
    "artifacts_local",
    "one large artifact through the proxy, stored in a local directory",
    FIGURES,
    _measure,
    rounds=(2, 1),
)
