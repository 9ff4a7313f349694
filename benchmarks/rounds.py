"""Workloads under load: servers that are up together take turns, round after round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.databases import POSTGRESQL, Database
from benchmarks.failures import FAILURES, CheckFailed, reason
from benchmarks.fleet import STEPS_PER_TURN, Fleet, Member
from benchmarks.load import Load, LoadResult, OneByOne, Template
from benchmarks.results import Figure, ServerResult, WorkloadResult

WARM_UP_SECONDS = 2
ANSWERS_PER_CLIENT = 3
"""A turn is prolonged until each client can be expected to have as many,"""
PROLONGED = 4
"""to so many times its length at most."""
IDLE_SHARE = 0.05
"""A worker that used less than this part of the busiest worker's CPU time stood idle."""
TRIES = 3
"""How often a turn is run at most, for a worker that stood idle."""
WRITTEN_SECONDS = 5.0
"""How long a row may take to be seen after its request was answered and the server has come to rest."""
MEBIBYTE = 2**20
WRITTEN = ("runs", "metrics", "latest_metrics", "params", "tags")
"""The tables that writes change."""


FIGURES = [
    Figure("rate", "req/s", higher_is_better=True, compared=True, digits=1),
    Figure("p50", "p50 ms"),
    Figure("p95", "p95 ms"),
    Figure("p99", "p99 ms"),
    Figure("cpu", "CPU ms/req", compared=True, digits=3),
    Figure("db_cpu", "database's CPU ms/req", digits=3),
    Figure("share", "server's share of both, %", digits=0),
    Figure("statements", "SQL/req", digits=2),
    Figure("control", "BEGIN, COMMIT, ping/req", digits=2),
    Figure("bytes", "bytes/answer", digits=0),
    Figure("idle_pss", "PSS idle, MiB", digits=0),
    Figure("pss", "PSS after a turn, MiB", digits=0),
    Figure("errors", "errors", digits=0),
    Figure("starved", "clients without an answer", digits=0),
    Figure("lost", "rows lost", digits=0),
]


@dataclass(frozen=True)
class Data:
    """What a database was filled with."""

    runs: Sequence[str]
    """Each client takes one for ``@run@``."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """What stands for ``@experiment@`` and the like."""


@dataclass(frozen=True)
class Rows:
    """What a request stores."""

    table: str
    per_request: int


@dataclass(frozen=True)
class LoadWorkload:
    """One request, sent over and over on a number of connections."""

    name: str
    title: str
    request: Template
    fill: Callable[[Client, Database, int], Data]
    """Fills an empty database for so many clients. What only reads shares what its like was filled with."""
    check: Callable[[Client, Database, Template, Data], None]
    """Sends one request and raises ``CheckFailed`` unless it was answered, and stored, rightly."""
    rows: Rows | None = None
    """None: the number of rows stays as it is."""
    verify: Callable[[Database], None] | None = None
    """Raises ``CheckFailed`` where the database as a whole is not as it should be."""
    reads: bool = False
    connections: int = 20
    workers: int = 2
    quick: bool = False
    """Whether the quick form has it."""

    def turns(self, bench: Bench) -> int:
        """Return the number of turns, setting up included."""
        return len(bench.kinds) * (bench.rounds_of() + 1) + 1

    def run(self, bench: Bench) -> WorkloadResult:
        """Measure all servers that can be started."""
        result = WorkloadResult(self.name, self.title, FIGURES)
        result.servers = {kind.name: ServerResult(kind.title) for kind in bench.kinds}
        fleet = bench.fleet(POSTGRESQL, self.workers)
        bench.step(f"{self.name}: servers start")
        for name, why in fleet.start(list(bench.kinds)).items():
            bench.failed(result.servers[name], f"not available: {why}")
        entrants: dict[str, _Entrant] = {}
        for kind in bench.kinds:
            bench.step(f"{self.name}: {kind.name} is filled and checked")
            row = result.servers[kind.name]
            if not row.failed:
                try:
                    entrants[kind.name] = self._enter(fleet, kind.name, row)
                except FAILURES as ex:
                    bench.failed(row, reason(ex))
        for number in range(bench.rounds_of()):
            for kind in bench.in_turn(number):
                bench.step(f"{self.name}: round {number + 1} of {bench.rounds_of()}, {kind.name}")
                entrant = entrants.get(kind.name)
                if entrant is None or entrant.row.failed:
                    continue
                try:
                    figures = self._turn(bench, fleet, entrant)
                except FAILURES as ex:
                    bench.failed(entrant.row, reason(ex))
                    continue
                entrant.row.rounds.append({**entrant.constants, **figures})
                bench.figures(self.name, kind, FIGURES, figures)
        for entrant in entrants.values():
            self._verify(entrant)
        return result

    def _enter(self, fleet: Fleet, name: str, row: ServerResult) -> _Entrant:
        """Fill the database, check an answer, warm the server up, and count its SQL statements meanwhile."""
        member = fleet[name]
        database, server = member.database, member.server
        with Client(server.port) as client:
            if not self.reads or not isinstance(member.holds, _Filled) or member.holds.by is not self.fill:
                member.clear()
                member.holds = _Filled(self.fill, self.fill(client, database, self.connections))
                database.settle()
            data = member.holds.data
            request = self.request.about(data.ids)
            self.check(client, database, request, data)
        entrant = _Entrant(row, member, request, list(data.runs[: self.connections]))
        entrant.constants["idle_pss"] = member.idle_pss / MEBIBYTE
        fleet.rest(member)
        with fleet.databases.counted(database) as statements:
            warm = entrant.load(WARM_UP_SECONDS).wait()
            fleet.rest(member)
        if not warm.answered:
            entrant.one_by_one = True
            row.note(f"no answer in {WARM_UP_SECONDS} s to {self.connections} clients: measured with one")
        else:
            entrant.rate = warm.answered / warm.seconds
        if statements is not None and warm.sent:
            entrant.constants["statements"] = statements.work / warm.sent
            entrant.constants["control"] = statements.control / warm.sent
        if self.verify is not None:
            self.verify(database)
        return entrant

    def _turn(self, bench: Bench, fleet: Fleet, entrant: _Entrant) -> dict[str, float]:
        for tried in range(1, TRIES + 1):
            figures, idle = self._measure(bench.turn_seconds(), fleet, entrant)
            figures["tries"] = float(tried)
            # A worker that left clients without an answer did not want for work: that is the server's doing.
            if not idle or figures["starved"]:
                return figures
            bench.say(f"{self.name} {entrant.member.server.kind.name}: {idle}; the turn is repeated")
        entrant.row.note(f"in {TRIES} tries of a turn: {idle}")
        return figures

    def _measure(self, seconds: int, fleet: Fleet, entrant: _Entrant) -> tuple[dict[str, float], str]:
        """Return the figures of one turn, and what stood idle in it, if anything."""
        server, database = entrant.member.server, entrant.member.database
        if not self.reads:
            database.settle(*WRITTEN)
        rows_before = self._rows(database)
        watch = fleet.background(server.kind.name)
        before, database_before = server.tree(), fleet.databases.cpu_seconds()
        load = entrant.load(self._prolonged(seconds, entrant))
        if not entrant.one_by_one:
            time.sleep(seconds / 2)
        held = processes.connections(before, server.port)
        seen = load.wait()
        after = server.tree()
        pss = processes.pss_bytes(after)
        fleet.rest(entrant.member)
        # What a client did not wait for has been computed all the same, so it counts.
        used = server.cpu_seconds() - processes.cpu_seconds(before)
        database_after = fleet.databases.cpu_seconds()
        background = watch.cores()
        if background > 0.05:
            entrant.row.note(f"the waiting servers used up to {round(background, 1):.0%} of a core meanwhile")
        lost = self._account(entrant, seen, rows_before)
        figures = {
            "seconds": seen.seconds,
            "rate": seen.rate,
            "pss": pss / MEBIBYTE,
            "errors": float(seen.failed),
            "starved": float(seen.starved),
            "lost": float(lost),
            **{f"status_{status}": float(number) for status, number in seen.statuses.items()},
        }
        if seen.answered:
            figures |= {"p50": seen.p50, "p95": seen.p95, "p99": seen.p99, "max": seen.longest}
            figures |= {"cpu": used * 1000 / seen.sent, "bytes": seen.received_bytes / seen.answered}
            if database_before is not None and database_after is not None:
                database_used = database_after - database_before
                figures |= {
                    "db_cpu": database_used * 1000 / seen.sent,
                    "share": 100 * used / (used + database_used),
                }
        figures |= {f"worker_{i}_connections": float(share) for i, share in enumerate(sorted(held.values()))}
        if (
            entrant.one_by_one
            or self.connections < 2 * self.workers
            or not server.kind.workers_hold_connections
        ):
            return figures, ""
        return figures, idle_workers(self.workers, held, _worker_cpu(before, after, held))

    def _prolonged(self, seconds: int, entrant: _Entrant) -> int:
        if not entrant.rate:
            return seconds
        needed = math.ceil(ANSWERS_PER_CLIENT * self.connections / entrant.rate)
        return max(seconds, min(needed, PROLONGED * seconds))

    def _verify(self, entrant: _Entrant) -> None:
        """Note what is wrong in the database after all turns. The figures stay: load has its part in it."""
        if self.verify is not None and not entrant.row.failed:
            try:
                self.verify(entrant.member.database)
            except CheckFailed as ex:
                entrant.row.note(f"afterwards {ex}")

    def _rows(self, database: Database) -> int:
        return database.number(f"SELECT count(*) FROM {self.rows.table}") if self.rows else 0

    def _account(self, entrant: _Entrant, seen: LoadResult, rows_before: int) -> int:
        """Note errors by status; return how many rows fewer are stored than were acknowledged."""
        for status, number in sorted(seen.statuses.items()):
            if status != 200:
                entrant.row.errors[str(status)] = entrant.row.errors.get(str(status), 0) + number
        for word, number in seen.broken.items():
            entrant.row.errors[word] = entrant.row.errors.get(word, 0) + number
        if seen.starved:
            clients = f"{seen.starved} of {self.connections} clients"
            entrant.row.note(f"{clients} had no answer at all in a turn of {round(seen.seconds)} s")
        if self.rows is None:
            return 0
        expected = rows_before + seen.acknowledged * self.rows.per_request
        end = time.monotonic() + WRITTEN_SECONDS
        while (stored := self._rows(entrant.member.database)) < expected and time.monotonic() < end:
            time.sleep(0.1)
        if stored < expected:
            entrant.row.note(f"{expected - stored} acknowledged rows are not in the database")
        return max(0, expected - stored)


@dataclass(frozen=True)
class _Filled:
    by: Callable[[Client, Database, int], Data]
    data: Data


@dataclass
class _Entrant:
    """A server that takes part in a workload."""

    row: ServerResult
    member: Member
    request: Template
    runs: list[str]
    constants: dict[str, float] = field(default_factory=dict)
    """Figures that are had once and hold for every round."""
    rate: float = 0.0
    """Answers per second in the warm-up."""
    one_by_one: bool = False
    """Whether it is too slow for a load of several clients."""

    def load(self, seconds: int) -> Load | OneByOne:
        """Begin a load of so many seconds."""
        port, steps = self.member.server.port, self.member.next_steps()
        if self.one_by_one:
            return OneByOne(port, self.request, self.runs[0], seconds, steps)
        return Load(port, self.request, self.runs, seconds, steps, apart=STEPS_PER_TURN // len(self.runs))


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
