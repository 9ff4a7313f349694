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
    quick: bool = False
    """Whether the quick form has it."""
    rounds: tuple[int, int] = (3, 1)
    """In the full and in the quick form."""

    def turns(self, bench: Bench) -> int:
        """Return the number of servers started."""
        return bench.rounds_of(*self.rounds) * len(bench.kinds)

    def run(self, bench: Bench) -> WorkloadResult:
        """Measure all servers that can be started."""
        bench.alone()
        result = WorkloadResult(self.name, self.title, self.figures)
        result.servers = {kind.name: ServerResult(kind.title) for kind in bench.kinds}
        rounds = bench.rounds_of(*self.rounds)
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
