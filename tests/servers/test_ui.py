"""Upstream's web interface on our server, in a real browser, beside the same pages on upstream's server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from mlflow_accel.server import assistant, mcp_servers
from tests.servers import journal
from tests.servers.browser import FAILED, Browser, chromium
from tests.servers.journal import Journal, client_of
from tests.servers.test_companion import companions
from tests.support import mcp
from tests.support.databases import SqliteDatabases
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

pytestmark = [pytest.mark.filterwarnings(text) for text in journal.TRAINING_WARNINGS]


@dataclass(frozen=True)
class Page:
    """Where a page is, and what of the journal it has to show; both are formats."""

    path: str
    texts: tuple[str, ...]


RUNS = "/#/experiments/{j.experiment_id}/runs"
RUN = f"{RUNS}/{{j.parent}}"
PAGES = {
    "experiments": Page("/#/experiments", ("{j.name}-experiment", "Default")),
    "runs": Page(RUNS, ("{j.name}-experiment", "parent", "trained", "{j.model}")),
    "run": Page(RUN, ("parent", "accuracy", "0.95", "depth", "rate", "0.1", "owner", "child")),
    "charts": Page(f"{RUN}/model-metrics", ("accuracy", "parent (accuracy)", "Step")),
    "artifacts": Page(f"{RUN}/artifacts", ("notes", "binaries", "table.json")),
    "models": Page("/#/models", ("{j.model}", "champion")),
    "model": Page("/#/models/{j.model}", ("{j.model}", "a classifier", "Version 2", "champion")),
    "prompts": Page("/#/prompts", ("{j.prompt}",)),
    "MCP servers": Page("/#/mcp-registry", mcp.NAMES),
    "MCP server": Page(f"/#/mcp-registry/{quote(mcp.FULL, safe='')}", (mcp.FULL, "1.0.1", "1.0.0")),
}


@dataclass(frozen=True)
class Visit:
    """What a page said, line by line, and what it asked for: path and status."""

    text: list[str]
    requests: set[tuple[str, int]]

    def failures(self) -> set[tuple[str, int]]:
        """Return the requests that were refused, or got no answer."""
        return {(path, status) for path, status in self.requests if status == FAILED or status >= 400}


@dataclass(frozen=True)
class Sites:
    """Two servers that hold the same, and a browser."""

    browser: Browser
    journal: Journal
    ours: RunningServer
    upstream: RunningServer
    shots: Path

    def visit(self, name: str, server: str) -> Visit:
        """Visit a page of ``ours`` or ``upstream``; it shows what it has to."""
        page = PAGES[name]
        port = getattr(self, server).port
        texts = tuple(text.format(j=self.journal) for text in page.texts)
        url = f"http://127.0.0.1:{port}{page.path.format(j=self.journal)}"
        requests = self.browser.visit(url, texts, self.shots / f"{name}-{server}.png")
        return Visit(_constant(self.browser.text()), requests.answered())


def _constant(text: str) -> list[str]:
    """Return the lines of a page that are the same at another time, without the assistant beside it."""
    page = text.partition("\nMLflow Assistant\n")[0]
    return re.sub(r"\d+ \w+ ago", "some time ago", page).splitlines()


@pytest.fixture(scope="module")
def sites(
    sqlite_databases: SqliteDatabases,
    new_directory: Callable[[], Path],
    module_ours: ServerFactory,
    module_upstream: ServerFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Sites]:
    """Log through our server, and give each server a copy of the database."""
    shots = pytestconfig.rootpath / "shots"
    shots.mkdir(exist_ok=True)
    with chromium(new_directory()) as browser:
        uri = sqlite_databases.fresh()
        artifacts = ("--artifacts-destination", str(new_directory()))
        writer = module_ours("--backend-store-uri", uri, *artifacts)
        with client_of(writer) as client:
            written = journal.log(client, "ui", new_directory())
            for step in range(20):
                client.log_metric(written.parent, "accuracy", step / 20, step=step)
        writer.stop()
        mcp.fill(uri)
        ours = module_ours("--backend-store-uri", sqlite_databases.copy(uri), *artifacts)
        upstream = module_upstream("--backend-store-uri", sqlite_databases.copy(uri), *artifacts)
        yield Sites(browser, written, ours, upstream, shots)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_same_as_on_upstreams_server(sites: Sites, name: str) -> None:
    ours = sites.visit(name, "ours")
    upstream = sites.visit(name, "upstream")
    assert ours.text == upstream.text
    assert {path for path, _ in upstream.requests} - {path for path, _ in ours.requests} == set()
    assert ours.failures() - upstream.failures() == set()


EXPERIMENT = "/#/experiments/{j.experiment_id}"
EVERY_PAGE = (
    "/#/",
    *(page.path for page in PAGES.values()),
    *(
        f"{EXPERIMENT}/{tab}"
        for tab in (
            "traces",
            "chat-sessions",
            "datasets",
            "evaluation-runs",
            "judges",
            "models",
            "overview/usage",
            "playground",
            "prompts",
            "review-queue",
        )
    ),
    "/#/gateway",
    "/#/gateway/api-keys",
    "/#/gateway/budgets",
    "/#/gateway/endpoints/create",
    "/#/gateway/usage",
    "/#/settings",
    *(f"/#/mcp-registry/{quote(name, safe='')}" for name in mcp.NAMES[1:]),
)


def test_no_page_starts_the_companion(sites: Sites) -> None:
    asked: set[tuple[str, int]] = set()
    absent = []
    for page in EVERY_PAGE:
        requests = sites.browser.open(f"http://127.0.0.1:{sites.ours.port}{page.format(j=sites.journal)}")
        asked |= requests.answered()
        if "Page Not Found" in sites.browser.text():
            absent.append(page)
    assert not absent
    assert {(path, 200) for path in (assistant.CONFIG, assistant.PROVIDERS, mcp_servers.AREA)} <= asked
    assert not companions(sites.ours)
