"""Workloads in which one server at a time is up: started anew, taken through everything, stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.failures import FAILURES, reason
from benchmarks.kinds import Kind
from benchmarks.results import Figure, ServerResult, WorkloadResult


@dataclass(frozen=True)
class AloneWorkload:
    """Each round starts each server once."""

    name: str
    title: str
    figures: list[Figure]
    measure: Callable[[Bench, Kind, ServerResult], dict[str, float]]
    """Starts a server and returns one round's figures; raises one of ``FAILURES``."""
    full: int = 3
    quick: int = 1

    def turns(self, bench: Bench) -> int:
        """Return the number of servers started."""
        return bench.rounds(self.full, self.quick) * len(bench.kinds)

    def run(self, bench: Bench) -> WorkloadResult:
        """Measure all servers that can be started."""
        result = WorkloadResult(self.name, self.title, self.figures)
        result.servers = {kind.name: ServerResult(kind.title) for kind in bench.kinds}
        rounds = bench.rounds(self.full, self.quick)
        for number in range(rounds):
            for kind in bench.in_turn(number):
                bench.step(f"{self.name}: round {number + 1} of {rounds}, {kind.name}")
                row = result.servers[kind.name]
                if row.failed:
                    continue
                try:
                    row.rounds.append(self.measure(bench, kind, row))
                except FAILURES as ex:
                    bench.failed(row, reason(ex))
                    continue
                bench.figures(self.name, kind, self.figures, row.rounds[-1])
        return result
