"""Servers that are up together, each on a database of its own, for one workload after another."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.databases import Database, Databases
from benchmarks.failures import FAILURES
from benchmarks.kinds import Kind
from benchmarks.servers import NotAvailable, Server, wait_until_quiet, wait_until_settled

if TYPE_CHECKING:
    from benchmarks.bench import Bench

STEPS_PER_TURN = 100_000_000
"""Each turn of a server counts its steps from a multiple of this, so that no turn writes another's rows."""


@dataclass
class Member:
    """A server that is up."""

    server: Server
    database: Database
    idle_pss: int
    """Bytes, when it had come to rest."""
    holds: object = None
    """What the database was last filled with."""
    _empty: list[str] = field(default_factory=list)
    _turns: int = 0

    def next_steps(self) -> int:
        """Return the first step of a new turn."""
        self._turns += 1
        return self._turns * STEPS_PER_TURN

    def clear(self) -> None:
        """Take the database back to what the server's first start left in it."""
        self.database.clear(self._empty)
        self.holds = None


class Fleet:
    """Starts servers when they are asked for, and keeps them up until it is closed."""

    def __init__(self, bench: Bench, databases: Databases, workers: int) -> None:
        self.databases = databases
        self.workers = workers
        self._bench = bench
        self._members: dict[str, Member] = {}
        self._stacks: dict[str, ExitStack] = {}

    def start(self, kinds: list[Kind]) -> dict[str, str]:
        """Start those of ``kinds`` that are not up; return why some could not be, by name."""
        failed: dict[str, str] = {}
        started: list[tuple[Kind, Server, Database]] = []
        for kind in kinds:
            if kind.name in self._members and not self._members[kind.name].server.is_well():
                self.stop(kind)
            if kind.name in self._members:
                continue
            try:
                with ExitStack() as own:
                    database = own.enter_context(self.databases.with_schema(kind.name))
                    server = own.enter_context(self._bench.running(kind, database, self.workers))
                    self._stacks[kind.name] = own.pop_all()
            except FAILURES as ex:
                failed[kind.name] = str(ex) if isinstance(ex, NotAvailable) else repr(ex)
                continue
            started.append((kind, server, database))
        if started:
            wait_until_settled([server for _, server, _ in started])
        for kind, server, database in started:
            self._members[kind.name] = Member(
                server, database, server.pss_bytes(), _empty=database.empty_tables()
            )
        return failed

    def __getitem__(self, name: str) -> Member:
        return self._members[name]

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def stop(self, kind: Kind) -> None:
        """Stop a server and drop its database."""
        self._members.pop(kind.name, None)
        self._stacks.pop(kind.name).close()

    def rest(self, member: Member) -> None:
        """Wait until a server and the database have done with what they were sent."""
        wait_until_quiet(lambda: member.server.cpu_seconds() + (self.databases.cpu_seconds() or 0.0))

    def background(self, name: str) -> Background:
        """Begin to watch what all servers but ``name`` use."""
        return Background([member.server for other, member in self._members.items() if other != name])

    def close(self) -> None:
        """Stop all servers and drop their databases."""
        with ExitStack() as all_of_them:
            for stack in self._stacks.values():
                all_of_them.push(stack)
        self._members.clear()
        self._stacks.clear()


class Background:
    """What servers that should be at rest use."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = servers
        self._since, self._used = time.monotonic(), self._cpu()

    def _cpu(self) -> float:
        return sum(server.cpu_seconds() for server in self._servers)

    def cores(self) -> float:
        """Return the cores that they used on average since the watch began."""
        return (self._cpu() - self._used) / (time.monotonic() - self._since)
