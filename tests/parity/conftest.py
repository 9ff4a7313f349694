"""Both servers on copies of one seeded state, and the line that says how many routes answered alike."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.parity.correspondence import Correspondence
from tests.parity.exchange import Pair, Server
from tests.parity.in_process import Filled, accelerated
from tests.parity.read_rows import fill
from tests.parity.seed import seed
from tests.parity.templates import Ids
from tests.support.databases import Databases
from tests.support.rows import all_rows
from tests.support.servers import UPSTREAM, ServerFactory, ours_command

SERVER_ENV = {
    # Jobs would run beside the comparison and change rows at times of their own.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # Nothing is asked of other machines: no catalog of models; webhooks go to a port where nobody listens.
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "0",
}

SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the lines that end the report."""
    config.stash[SUMMARY] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was found alike."""
    for line in config.stash[SUMMARY]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Lines that end the report."""
    return request.config.stash[SUMMARY]


@dataclass(frozen=True)
class State:
    """A seeded database with its artifacts; nothing has them open."""

    databases: Databases
    uri: str
    artifacts: Path
    ids: list[Ids]

    def known(self) -> list[str]:
        """Return every text that stands in the database."""
        return [str(value) for table in all_rows(self.uri).values() for row in table for value in row]


@pytest.fixture(scope="session")
def state(databases: Databases, new_directory: Callable[[], Path]) -> State:
    """A state with something of everything, made by upstream."""
    uri, artifacts = databases.fresh(), new_directory()
    with ServerFactory(UPSTREAM, new_directory) as upstream:
        options = ("--backend-store-uri", uri, "--artifacts-destination", str(artifacts))
        ids = seed(upstream(*options, env=SERVER_ENV))
    return State(databases, uri, artifacts, ids)


def serve(factory: ServerFactory, state: State, *options: str, **how: Any) -> Server:
    """Start a server on a copy of ``state``; ``how`` is what the factory takes beside options."""
    uri = state.databases.copy(state.uri)
    artifacts = Path(tempfile.mkdtemp(dir=state.artifacts.parent))
    shutil.copytree(state.artifacts, artifacts, dirs_exist_ok=True)
    own = ("--backend-store-uri", uri, "--artifacts-destination", str(artifacts))
    # The assistant keeps its settings in the user's home directory.
    home = {"HOME": tempfile.mkdtemp(dir=state.artifacts.parent)}
    return factory(*own, *options, **{**how, "env": {**SERVER_ENV, **home, **how.get("env", {})}}), uri


PairStarter = Callable[..., AbstractContextManager[Pair]]


@pytest.fixture(scope="session")
def both_servers(new_directory: Callable[[], Path]) -> PairStarter:
    """Run both servers on copies of a state: ``with both_servers(state, *options, env=...) as pair``."""

    @contextmanager
    def run(state: State, *options: str, **how: Any) -> Iterator[Pair]:
        with (
            ServerFactory(UPSTREAM, new_directory) as upstream,
            ServerFactory(ours_command(), new_directory) as ours,
            ThreadPoolExecutor(2) as pool,
        ):
            first, second = pool.map(lambda factory: serve(factory, state, *options, **how), (upstream, ours))
            yield Pair(first, second, Correspondence(state.known()))

    return run


@pytest.fixture(scope="session")
def empty_state(databases: Databases, new_directory: Callable[[], Path]) -> State:
    """A state with nothing but experiment 0."""
    return State(databases, databases.fresh(), new_directory(), [])


@pytest.fixture(scope="session")
def write_pair(empty_state: State, both_servers: PairStarter) -> Iterator[Pair]:
    """Both servers on databases that hold nothing but experiment 0."""
    with both_servers(empty_state) as pair:
        yield pair


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "postgresql+psycopg2"])
def filled(request: pytest.FixtureRequest, new_directory: Callable[[], Path]) -> Iterator[Filled]:
    """A store on a database with runs of every kind, once per driver."""
    kind, _, driver = request.param.partition("+")
    databases: Databases = request.getfixturevalue(
        {"sqlite": "sqlite_databases"}.get(kind, "postgres_databases")
    )
    uri = databases.fresh()
    if driver:
        uri = uri.replace("postgresql+psycopg:", f"{request.param}:").replace(
            "postgresql:", f"{request.param}:"
        )
    with accelerated(uri, str(new_directory())) as store:
        yield store, fill(store.engine)
