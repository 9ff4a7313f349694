"""How long a server takes from the start of its process to the first 200 of ``/health``."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.databases import POSTGRESQL, SQLITE, Databases
from benchmarks.failures import FAILURES, reason
from benchmarks.kinds import Kind
from benchmarks.results import Figure, ServerResult, WorkloadResult

WORKERS = 2


@dataclass(frozen=True)
class Startup:
    """Servers start in turn, on a database that has the schema and on one without a table."""

    name: str = "startup"
    quick: bool = True
    title: str = f"start-up with {WORKERS} workers: process start to the first 200 of /health, s"

    def turns(self, bench: Bench) -> int:
        """Return the number of starts."""
        return (
            bench.rounds_of(full=5, quick=1) * len(bench.kinds) * len(_choices(bench)) * len(_states(bench))
        )

    def run(self, bench: Bench) -> WorkloadResult:
        """Start all servers on all databases, round after round."""
        bench.alone()
        choices = _choices(bench)
        figures = [
            Figure(_key(choice, existing), f"{choice}, {_state(existing)}", compared=True, digits=2)
            for choice in choices
            for existing in _states(bench)
        ]
        result = WorkloadResult(self.name, self.title, figures)
        result.servers = {kind.name: ServerResult(kind.title) for kind in bench.kinds}
        rounds = bench.rounds_of(full=5, quick=1)
        for number in range(rounds):
            for kind in bench.kinds:
                result.servers[kind.name].rounds.append({})
            for choice in choices:
                for existing in _states(bench):
                    for kind in bench.in_turn(number):
                        turn = f"{choice}, {_state(existing)}, {kind.name}"
                        bench.step(f"startup: round {number + 1} of {rounds}, {turn}")
                        row = result.servers[kind.name]
                        seconds = _started(bench, row, kind, bench.databases(choice), existing)
                        if seconds is not None:
                            row.rounds[-1][_key(choice, existing)] = seconds
                            bench.say(f"startup {kind.name}: {seconds:.2f} s ({choice}, {_state(existing)})")
        return result


def _started(
    bench: Bench, row: ServerResult, kind: Kind, databases: Databases, existing: bool
) -> float | None:
    make = databases.with_schema if existing else databases.empty
    try:
        with make(kind.name) as database, bench.running(kind, database, WORKERS) as server:
            return server.start_seconds
    except FAILURES as ex:
        row.note(f"{databases.name}, {_state(existing)}: {reason(ex)}")
        return None


def _choices(bench: Bench) -> list[str]:
    return [bench.database] if bench.database else [SQLITE, POSTGRESQL]


def _states(bench: Bench) -> list[bool]:
    """Return whether the database exists, for each sort of start."""
    return [True] if bench.quick else [True, False]


def _key(choice: str, existing: bool) -> str:
    return f"{choice}_{'existing' if existing else 'fresh'}"


def _state(existing: bool) -> str:
    return "existing database" if existing else "fresh database"


WORKLOAD = Startup()
