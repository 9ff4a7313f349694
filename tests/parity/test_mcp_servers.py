"""Reads of the registry of MCP servers: what our worker answers is what upstream does, and the companion answers the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from mlflow_accel.server.mcp_servers import AREA
from tests.parity.conftest import PairStarter, State
from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Exchange, Pair
from tests.servers.test_companion import companions
from tests.support.databases import SqliteDatabases
from tests.support.http import Request
from tests.support.mcp import FULL, NAMES, fill

SERVER = f"{AREA}/{quote(FULL, safe='')}"
"""As the web interface writes it."""

NEWEST_FIRST = f"order_by={quote('`version` DESC')}&max_results=100"

SECOND = "filter_string=" + quote("name LIKE '%second%'")
NONE = "filter_string=" + quote("name = 'io.test/absent'")

PLAIN = {
    "list": (AREA, 200),
    "list, as the page asks": (f"{AREA}?max_results=25", 200),
    "list, filtered": (f"{AREA}?{SECOND}", 200),
    "list, nothing found": (f"{AREA}?{NONE}", 200),
    "list, in order": (f"{AREA}?order_by={quote('name DESC')}", 200),
    "all endpoints": (f"{AREA}/endpoints", 200),
    "server": (SERVER, 200),
    "server, with a slash": (f"{AREA}/{FULL}", 200),
    "versions": (f"{SERVER}/versions?{NEWEST_FIRST}", 200),
    "version": (f"{SERVER}/versions/1.0.1", 200),
    "latest version": (f"{SERVER}/aliases/latest", 200),
    "alias": (f"{SERVER}/aliases/champion", 200),
    "endpoints": (f"{SERVER}/endpoints", 200),
    "endpoints of a version": (f"{SERVER}/endpoints?server_version=1.0.0", 200),
    "absent server": (f"{AREA}/io.test%2Fabsent", 404),
    "no latest version": (f"{AREA}/{quote(NAMES[1], safe='')}/aliases/latest", 404),
    "no such version": (f"{SERVER}/versions/9.9.9", 404),
}
"""Path and upstream's status: answered in the worker."""

ODD = {
    "unknown parameter": f"{AREA}?other=1",
    "parameter of another route": f"{AREA}?server_version=1.0.0",
    "name in the query": f"{SERVER}/versions?name=other",
    "repeated parameter": f"{AREA}?max_results=1&max_results=2",
    "repeated order": f"{AREA}?order_by=name&order_by={quote('creation_timestamp DESC')}",
    "no number": f"{AREA}?max_results=many",
    "nothing for a number": f"{AREA}?max_results=",
    "no rows": f"{AREA}?max_results=0",
    "negative number": f"{AREA}?max_results=-1",
    "many rows": f"{AREA}?max_results=1000",
    "too many rows": f"{AREA}?max_results=100000",
    "bad filter": f"{AREA}?filter_string=nonsense",
    "bad order": f"{AREA}?order_by=nonsense",
    "bad token": f"{AREA}?page_token=nonsense",
    "empty parts": f"{AREA}//",
    "slash at the end": f"{AREA}/",
    "slash after a server": f"{SERVER}/",
    "not ASCII": f"{AREA}/io.test%2Fgr%C3%B6%C3%9Fe",
    "other area": f"{AREA}s",
}
"""Answered by the companion."""


@pytest.fixture(scope="module")
def pair(
    sqlite_databases: SqliteDatabases, new_directory: Callable[[], Path], both_servers: PairStarter
) -> Iterator[Pair]:
    """Both servers on copies of a database with a few servers."""
    state = State(sqlite_databases, sqlite_databases.fresh(), new_directory(), [])
    fill(state.uri)
    with both_servers(state) as pair:
        yield pair


def ask(pair: Pair, path: str, name: str, **headers: str) -> Exchange:
    """Ask both servers, and fail where their answers differ."""
    exchange = pair.ask(Request("GET", path, headers), path, name)
    assert not unlisted(exchange.findings, ROUTES)
    return exchange


def test_the_worker_answers_what_is_plain(pair: Pair) -> None:
    for name, (path, status) in PLAIN.items():
        assert ask(pair, path, name).status == status, name
        assert not companions(pair.servers[1]), name
    pages, token = 0, ""
    while pages == 0 or token:
        exchange = ask(pair, f"{AREA}?max_results=2" + (token and f"&page_token={quote(token)}"), "page")
        answer = exchange.answers[1].json()
        assert isinstance(answer, dict)
        pages, token = pages + 1, answer["next_page_token"] or ""
    assert pages == 2
    for origin in ("http://localhost:3000", "https://foreign.example"):
        ask(pair, AREA, "from another origin", Origin=origin)
    assert ask(pair, AREA, "as another host", Host="foreign.example").status == 403
    assert not companions(pair.servers[1])


@pytest.mark.parametrize("name", ODD)
def test_the_companion_answers_what_is_odd(pair: Pair, name: str) -> None:
    ask(pair, ODD[name], name)
    assert companions(pair.servers[1])
