"""What every workload is given: servers, databases, the length of the run, and a way to say how it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks import servers
from benchmarks.databases import Database, Databases
from benchmarks.fleet import Fleet
from benchmarks.kinds import Kind
from benchmarks.results import Figure, ServerResult, WorkloadResult
from benchmarks.servers import NotAvailable, Server

FULL_SECONDS = 10
QUICK_SECONDS = 2


@dataclass
class Bench:
    """One run of the benchmarks."""

    kinds: Sequence[Kind]
    rounds: int | None
    """How many rounds were asked for; None: each workload's own number, or two in the quick form."""
    seconds: int | None
    """How long a turn is to be; None: ten, or two in the quick form."""
    quick: bool
    databases_of: Callable[[str], Databases]
    """Returns the databases of ``sqlite``, ``postgresql`` or a URI, started when first asked for."""
    database: str | None
    """Which database was asked for; None: each workload's own choice."""
    logs: Path
    step: Callable[[str], None]
    """Says which turn begins."""
    say: Callable[[str], None]
    """Says what a turn found."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Why a server cannot be run at all, by name."""
    _fleet: Fleet | None = None
    _missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def databases(self, choice: str) -> Databases:
        """Return the databases that were asked for, else those of the workload's own ``choice``."""
        return self.databases_of(self.database or choice)

    def rounds_of(self, full: int = 5, quick: int = 2) -> int:
        """Return how many rounds a workload has in this run."""
        return self.rounds or (quick if self.quick else full)

    def turn_seconds(self) -> int:
        """Return how long a server is under load in one turn, if it is not slower than that."""
        return self.seconds or (QUICK_SECONDS if self.quick else FULL_SECONDS)

    def fleet(self, choice: str, workers: int) -> Fleet:
        """The servers that are up together; the same ones for workload after workload."""
        databases = self.databases(choice)
        if self._fleet is None or self._fleet.databases is not databases or self._fleet.workers != workers:
            self.alone()
            self._fleet = Fleet(self, databases, workers)
        return self._fleet

    def alone(self) -> None:
        """Stop all servers that are up."""
        if self._fleet is not None:
            self._fleet.close()
            self._fleet = None

    def in_turn(self, round_number: int) -> list[Kind]:
        """Return the servers in the order of this round: each round begins with the next one."""
        first = round_number % len(self.kinds)
        return [*self.kinds[first:], *self.kinds[:first]]

    @contextmanager
    def running(
        self, kind: Kind, database: Database, workers: int, artifacts: str | None = None
    ) -> Iterator[Server]:
        """Start a server; one that failed on this kind of database is not tried again.

        ``artifacts`` as :func:`servers.running` takes it.

        Raises:
            NotAvailable: it does not start here.
        """
        if kind.name in self.unavailable:
            raise NotAvailable(self.unavailable[kind.name])
        place = (kind.name, database.engine.dialect.name)
        if place in self._missing:
            raise NotAvailable(self._missing[place])
        with ExitStack() as stack:
            try:
                server = stack.enter_context(servers.running(kind, database.uri, workers, self.logs, artifacts))
            except NotAvailable as ex:
                self._missing[place] = str(ex)
                raise
            yield server

    def figures(self, workload: str, kind: Kind, known: Sequence[Figure], found: Mapping[str, float]) -> None:
        """Say what a server reached in one round."""
        shown = [
            f"{figure.title} {found[figure.key]:.{figure.digits}f}" for figure in known if figure.key in found
        ]
        self.say(f"{workload} {kind.name}: {', '.join(shown)}")

    def failed(self, result: ServerResult, reason: str) -> None:
        """Record that a server takes no further part in a workload."""
        result.failed = reason
        self.say(f"{result.title}: {reason}")


class Workload(Protocol):
    """Something that can be measured."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str:
        """One line that says what is done, for the table's head."""

    @property
    def quick(self) -> bool:
        """Whether the quick form has it."""

    def turns(self, bench: Bench) -> int:
        """Return how often ``bench.step`` will be called at most."""

    def run(self, bench: Bench) -> WorkloadResult: ...
