"""Every route of upstream's, asked of both servers: an empty request, a plausible one, and from other origins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from tests.parity.conftest import PairStarter, State
from tests.parity.differences import CROSS_ORIGIN, ROUTES, unlisted, unseen
from tests.parity.exchange import Pair
from tests.parity.order import in_order
from tests.parity.plausible import absent, plausible
from tests.parity.routes import Route, upstream_routes
from tests.support.http import Request, json_request
from tests.support.rows import rows, tables

HOST = {"Host": "localhost:5000"}
ALLOWED = "https://ok.example"
ORIGINS = {
    "no origin": {},
    "local origin": {"Origin": "http://localhost:3000"},
    "allowed origin": {"Origin": ALLOWED},
    "foreign origin": {"Origin": "https://foreign.example"},
}
FULL_BODY = ("POST", "PUT", "PATCH", "DELETE")
GENERATES_WHEN_EMPTY = "POST 3.0/mlflow/demo/generate"
"""Half a minute of made-up traces; its plausible request asks for none."""

PLAUSIBLE = "plausible, no origin"

Exchange = tuple[str, Request]


def _from_origins(request: Request, case: str, origins: Mapping[str, Mapping[str, str]] = ORIGINS) -> Iterator[Exchange]:
    for origin, header in origins.items():
        yield f"{case}, {origin}", replace(request, headers={**request.headers, **HOST, **header})


def empty_requests(route: Route) -> Iterator[Exchange]:
    """Requests that carry nothing and name nothing that exists."""
    if route.key == GENERATES_WHEN_EMPTY:
        return
    yield from _from_origins(Request(route.method, absent(route)), "empty")
    if route.method in FULL_BODY:
        yield "empty object", json_request(route.method, absent(route), {}, HOST)


def plausible_requests(route: Route, state: State) -> Iterator[Exchange]:
    """The request that a client might send; reads also come from other origins and as HEAD."""
    request = plausible(route, state.ids[route.half])
    if route.method == "GET":
        yield from _from_origins(request, "plausible")
        yield "plausible, HEAD", Request("HEAD", request.path, HOST)
    else:
        yield from _from_origins(request, "plausible", {"no origin": {}})


def other_methods(routes: list[Route]) -> Iterator[tuple[Route, Exchange]]:
    """For each path rule a method that it does not take; for every tenth, also OPTIONS and preflights."""
    by_rule: dict[str, set[str]] = {}
    for route in routes:
        by_rule.setdefault(route.rule, set()).add(route.method)
    for number, (rule, methods) in enumerate(by_rule.items()):
        wrong = next(method for method in ("PUT", "PATCH", "DELETE") if method not in methods)
        route = Route(rule, wrong)
        yield route, ("method that is not taken", Request(wrong, absent(route), HOST))
        if number % 10 == 0:
            route = Route(rule, "OPTIONS")
            yield route, ("options", Request("OPTIONS", absent(route), HOST))
            wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            for exchange in _from_origins(Request("OPTIONS", absent(route), wanted), "preflight"):
                yield route, exchange


@pytest.fixture(scope="module")
def routes() -> list[Route]:
    """Every route of upstream's."""
    return in_order(upstream_routes())


@pytest.fixture(scope="module")
def pair(state: State, routes: list[Route], both_servers: PairStarter) -> Iterator[Pair]:
    """Both servers, after all requests have been sent to them."""
    with both_servers(state, "--cors-allowed-origins", ALLOWED) as pair:
        for route in routes:
            for case, request in empty_requests(route):
                pair.ask(request, str(route), case)
        for route, (case, request) in other_methods(routes):
            pair.ask(request, str(route), case)
        for route in routes:
            for case, request in plausible_requests(route, state):
                pair.ask(request, str(route), case)
        for route in routes:
            if route.method == "GET":
                pair.ask(plausible(route, state.ids[route.half]), str(route), "again, after all changes")
        yield pair


def test_every_route_is_asked(pair: Pair, routes: list[Route], state: State, summary: list[str]) -> None:
    asked = {str(route) for route in routes}
    statuses = {route: status for (route, case), status in pair.statuses.items() if case == PLAUSIBLE}
    assert statuses.keys() == asked
    worked = sum(200 <= status < 300 for status in statuses.values())
    differing = {finding.route for finding in pair.findings if finding.aspect not in CROSS_ORIGIN}
    otherwise = {finding.route for finding in unlisted(pair.findings, ROUTES)}
    summary.append(
        f"routes alike on {state.databases.name}: {len(asked - otherwise)} of {len(asked)} "
        f"({len(asked & differing - otherwise)} of them but for what is listed); "
        f"{len(pair.statuses)} requests; upstream answered {worked} of the plausible ones with success"
    )
    assert worked >= 360, "the seeded state no longer serves the plausible requests"


def test_no_difference_but_the_listed_ones(pair: Pair) -> None:
    found = unlisted(pair.findings, ROUTES)
    assert not found, f"{len(found)} differences:\n" + "\n".join(map(str, found[:200]))


def test_every_listed_difference_is_seen(pair: Pair) -> None:
    assert not unseen(pair.findings, ROUTES), "take it off the list, and off the README's"


def test_rows_alike(pair: Pair) -> None:
    names = tables(pair.uris[0])
    stored = [rows(uri, names) for uri in pair.uris]
    differing = {}
    for name in names:
        upstream, ours = (Counter(map(pair.alike.canonical, each[name])) for each in stored)
        if upstream != ours:
            differing[name] = {"only upstream": list(upstream - ours), "only ours": list(ours - upstream)}
    assert not differing
