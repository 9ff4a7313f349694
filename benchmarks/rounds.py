"""Workloads under load: all servers up, each on a database of its own, taking turns round after round."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.databases import POSTGRESQL, Database, Databases
from benchmarks.failures import FAILURES, reason
from benchmarks.kinds import Kind
from benchmarks.load import Load, LoadResult, Template
from benchmarks.results import Figure, ServerResult, WorkloadResult
from benchmarks.servers import Server

STEPS_PER_TURN = 100_000_000
"""Each turn of a server counts its steps from a multiple of this, so that its rows can be told apart."""
WARM_UP_SECONDS = 2
IDLE_SHARE = 0.05
"""A worker that used less than this part of the busiest worker's CPU time stood idle."""
TRIES = 3
"""How often a turn is run at most, for a worker that stood idle."""


FIGURES = [
    Figure("rate", "req/s", higher_is_better=True, compared=True, digits=0),
    Figure("p50", "p50 ms"),
    Figure("p95", "p95 ms"),
    Figure("p99", "p99 ms"),
    Figure("cpu", "CPU ms/req", compared=True, digits=3),
    Figure("statements", "SQL/req", digits=2),
    Figure("control", "BEGIN, COMMIT, ping/req", digits=2),
    Figure("bytes", "bytes/answer", digits=0),
    Figure("errors", "errors", digits=0),
    Figure("starved", "clients without an answer", digits=0),
    Figure("lost", "rows lost", digits=0),
]


@dataclass(frozen=True)
class LoadWorkload:
    """One request, sent over and over on a number of connections."""

    name: str
    title: str
    request: Template
    setup: Callable[[Client, int], list[str]]
    """Prepares a fresh server for so many connections and returns their runs."""
    check: Callable[[Client, Database, Template, str], None]
    """Sends one request for one run and raises ``CheckFailed`` unless it was answered and stored rightly."""
    stored: Callable[[Database, int], int]
    """Counts the rows that requests from this step on have stored."""
    verify: Callable[[Database], None]
    """Raises ``CheckFailed`` where the database as a whole is not as it should be after a turn."""
    rows_per_request: int
    connections: int = 20
    workers: int = 2

    def turns(self, bench: Bench) -> int:
        """Return the number of turns, setting up included."""
        return len(bench.kinds) * (bench.rounds() + 1)

    def run(self, bench: Bench) -> WorkloadResult:
        """Measure all servers that can be started."""
        result = WorkloadResult(self.name, self.title, FIGURES)
        databases = bench.databases(POSTGRESQL)
        with ExitStack() as stack:
            entrants: dict[str, _Entrant] = {}
            for kind in bench.kinds:
                bench.step(f"{self.name}: {kind.name} starts")
                row = result.servers[kind.name] = ServerResult(kind.title)
                try:
                    with ExitStack() as own:
                        entrants[kind.name] = self._enter(bench, databases, kind, row, own)
                        stack.push(own.pop_all())
                except FAILURES as ex:
                    bench.failed(row, reason(ex))
            for number in range(bench.rounds()):
                for kind in bench.in_turn(number):
                    bench.step(f"{self.name}: round {number + 1} of {bench.rounds()}, {kind.name}")
                    entrant = entrants.get(kind.name)
                    if entrant is None or entrant.row.failed:
                        continue
                    others = [other for other in entrants.values() if other is not entrant]
                    try:
                        figures = self._turn(bench, entrant, others)
                    except FAILURES as ex:
                        bench.failed(entrant.row, reason(ex))
                        continue
                    entrant.row.rounds.append({**entrant.constants, **figures})
                    bench.figures(self.name, kind, FIGURES, figures)
        return result

    def _enter(
        self, bench: Bench, databases: Databases, kind: Kind, row: ServerResult, stack: ExitStack
    ) -> _Entrant:
        """Start a server, check its answer, warm it up, and count its SQL statements meanwhile."""
        database = stack.enter_context(databases.with_schema(kind.name))
        server = stack.enter_context(bench.running(kind, database, self.workers))
        with Client(server.port) as client:
            runs = self.setup(client, self.connections)
            self.check(client, database, self.request, runs[0])
        server.wait_until_settled()
        entrant = _Entrant(row, server, database, runs)
        with databases.counted(database) as statements:
            warm = Load(server.port, self.request, runs, WARM_UP_SECONDS, entrant.next_steps()).wait()
        if statements is not None and warm.answered:
            entrant.constants["statements"] = statements.work / warm.answered
            entrant.constants["control"] = statements.control / warm.answered
        return entrant

    def _turn(self, bench: Bench, entrant: _Entrant, others: Sequence[_Entrant]) -> dict[str, float]:
        for tried in range(1, TRIES + 1):
            figures, idle = self._measure(4 if bench.quick else 10, entrant, others)
            figures["tries"] = float(tried)
            # A worker that left clients without an answer did not want for work: that is the server's doing.
            if not idle or figures["starved"]:
                return figures
            bench.say(f"{self.name} {entrant.server.kind.name}: {idle}; the turn is repeated")
        entrant.row.note(f"in {TRIES} tries of a turn: {idle}")
        return figures

    def _measure(
        self, seconds: int, entrant: _Entrant, others: Sequence[_Entrant]
    ) -> tuple[dict[str, float], str]:
        """Return the figures of one turn, and what stood idle in it, if anything."""
        server, database = entrant.server, entrant.database
        database.settle()
        first_step = entrant.next_steps()
        before = server.tree()
        background = sum(other.server.cpu_seconds() for other in others)
        load = Load(server.port, self.request, entrant.runs, seconds, first_step)
        time.sleep(seconds / 2)
        held = processes.connections(before, server.port)
        seen = load.wait()
        after = server.tree()
        background = (sum(other.server.cpu_seconds() for other in others) - background) / seen.seconds
        if background > 0.05:
            entrant.row.note(f"the waiting servers used up to {round(background, 1):.0%} of a core meanwhile")
        self._account(entrant, seen, first_step)
        figures = {
            "seconds": seen.seconds,
            "rate": seen.rate,
            "errors": float(seen.failed),
            "starved": float(seen.starved),
            "lost": float(max(0, seen.acknowledged * self.rows_per_request - entrant.stored)),
            "stored": float(entrant.stored),
        }
        if seen.answered:
            used = processes.cpu_seconds(after) - processes.cpu_seconds(before)
            figures |= {"p50": seen.p50, "p95": seen.p95, "p99": seen.p99, "max": seen.longest}
            figures |= {"cpu": used * 1000 / seen.answered, "bytes": seen.received_bytes / seen.answered}
        figures |= {f"worker_{i}_connections": float(share) for i, share in enumerate(sorted(held.values()))}
        if not server.kind.workers_hold_connections:
            return figures, ""
        return figures, idle_workers(self.workers, held, _worker_cpu(before, after, held))

    def _account(self, entrant: _Entrant, seen: LoadResult, first_step: int) -> None:
        """Note errors by status, and compare what is stored with what was acknowledged."""
        for status in seen.statuses.keys() - {200}:
            entrant.row.note(f"answers with status {status}")
        for word in seen.broken:
            entrant.row.note(f"requests without an answer ({word})")
        if seen.starved:
            clients = f"{seen.starved} of {self.connections} clients"
            entrant.row.note(f"{clients} had no answer at all in a turn of {round(seen.seconds)} s")
        # Requests that were under way when wrk left may still be written.
        end = time.monotonic() + 10
        stored, previous = self.stored(entrant.database, first_step), -1
        while stored != previous and time.monotonic() < end:
            time.sleep(0.1)
            previous, stored = stored, self.stored(entrant.database, first_step)
        entrant.stored = stored
        missing = seen.acknowledged * self.rows_per_request - stored
        if missing > 0:
            entrant.row.note(f"{missing} acknowledged rows are not in the database")
        self.verify(entrant.database)


@dataclass
class _Entrant:
    """A server that takes part in a workload."""

    row: ServerResult
    server: Server
    database: Database
    runs: list[str]
    constants: dict[str, float] = field(default_factory=dict)
    """Figures that are had once and hold for every round."""
    stored: int = 0
    """Rows of the last turn."""
    _turns: int = 0

    def next_steps(self) -> int:
        """Return the first step of a new turn."""
        self._turns += 1
        return self._turns * STEPS_PER_TURN


def _worker_cpu(
    before: Sequence[processes.Process], after: Sequence[processes.Process], workers: dict[int, int]
) -> dict[int, float]:
    earlier = {process.pid: process.cpu for process in before}
    return {
        process.pid: process.cpu - earlier.get(process.pid, 0.0)
        for process in after
        if process.pid in workers
    }


def idle_workers(expected: int, connections: dict[int, int], cpu: dict[int, float]) -> str:
    """Return a sentence on workers that had nothing to do in a turn, or an empty string.

    ``connections`` and ``cpu`` (seconds) are by process, of those that held a connection in mid-turn.
    """
    spread = "/".join(str(number) for number in sorted(connections.values(), reverse=True))
    if len(connections) < expected:
        return f"{expected - len(connections)} of {expected} workers had no connection ({spread})"
    busiest = max(cpu.values(), default=0.0)
    idle = sum(seconds < IDLE_SHARE * busiest for seconds in cpu.values())
    return f"{idle} of {expected} workers stood idle (connections {spread})" if idle else ""
