"""Every route of upstream's, asked of both servers: empty, plausible, and from other origins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from tests.parity.conftest import PairStarter, State
from tests.parity.differences import CROSS_ORIGIN, ROUTES, unlisted, unseen
from tests.parity.exchange import Exchange, Finding
from tests.parity.order import in_order
from tests.parity.plausible import absent, plausible
from tests.parity.routes import Route, upstream_routes
from tests.support.http import Request, json_request
from tests.support.rows import Row, all_rows

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

Named = tuple[str, Request]


def _from_origins(
    request: Request, case: str, origins: Mapping[str, Mapping[str, str]] = ORIGINS
) -> Iterator[Named]:
    for origin, header in origins.items():
        yield f"{case}, {origin}", replace(request, headers={**request.headers, **HOST, **header})


def empty_requests(route: Route) -> Iterator[Named]:
    """Requests that carry nothing and name nothing that exists."""
    if route.key == GENERATES_WHEN_EMPTY:
        return
    yield from _from_origins(Request(route.method, absent(route)), "empty")
    if route.method in FULL_BODY:
        yield "empty object", json_request(route.method, absent(route), {}, HOST)


def plausible_requests(route: Route, state: State) -> Iterator[Named]:
    """The request that a client might send; reads also come from other origins and as HEAD."""
    request = plausible(route, state.ids[route.half])
    if route.method == "GET":
        yield from _from_origins(request, "plausible")
        yield "plausible, HEAD", Request("HEAD", request.path, HOST)
    else:
        yield from _from_origins(request, "plausible", {"no origin": {}})


def other_methods(routes: list[Route]) -> Iterator[tuple[Route, Named]]:
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
            wanted = {
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type",
            }
            for exchange in _from_origins(Request("OPTIONS", absent(route), wanted), "preflight"):
                yield route, exchange


@pytest.fixture(scope="module")
def routes() -> list[Route]:
    """Every route of upstream's."""
    return in_order(upstream_routes())


@dataclass(frozen=True)
class Comparison:
    """All requests that were sent, and the two databases afterwards."""

    exchanges: Mapping[tuple[str, str], Exchange]
    stored: list[dict[str, Counter[tuple[str, ...]]]]

    @property
    def findings(self) -> list[Finding]:
        """Every difference of every answer."""
        return [finding for exchange in self.exchanges.values() for finding in exchange.findings]


def requests(routes: list[Route], state: State) -> Iterator[tuple[str, str, Request]]:
    """Every request, in the order in which they are sent: its route, what case it is, and itself."""
    for route in routes:
        for case, request in empty_requests(route):
            yield str(route), case, request
    for route, (case, request) in other_methods(routes):
        yield str(route), case, request
    for route in routes:
        for case, request in plausible_requests(route, state):
            yield str(route), case, request
    for route in routes:
        if route.method == "GET":
            yield str(route), "again, after all changes", plausible(route, state.ids[route.half])


def _names_no_program(row: Row) -> bool:
    """Tell a row from the tags by which a run that the server starts names the server's own program."""
    return not str(row[0]).startswith("mlflow.source.")


@pytest.fixture(scope="module")
def comparison(state: State, routes: list[Route], both_servers: PairStarter) -> Comparison:
    """Everything asked of both servers."""
    with both_servers(state, "--cors-allowed-origins", ALLOWED) as pair:
        exchanges = {
            (route, case): pair.ask(request, route, case) for route, case, request in requests(routes, state)
        }
        stored = [
            {
                table: Counter(map(pair.alike.canonical, filter(_names_no_program, found)))
                for table, found in all_rows(uri).items()
            }
            for uri in pair.uris
        ]
    return Comparison(exchanges, stored)


def test_every_route_is_asked(
    comparison: Comparison, routes: list[Route], state: State, summary: list[str]
) -> None:
    asked = {str(route) for route in routes}
    found = comparison.findings
    statuses = {
        route: each.status for (route, case), each in comparison.exchanges.items() if case == PLAUSIBLE
    }
    assert statuses.keys() == asked
    worked = sum(200 <= status < 300 for status in statuses.values())
    differing = {finding.route for finding in found if finding.aspect not in CROSS_ORIGIN}
    otherwise = {finding.route for finding in unlisted(found, ROUTES)}
    summary.append(
        f"routes alike on {state.databases.name}: {len(asked - otherwise)} of {len(asked)} "
        f"({len(asked & differing - otherwise)} of them but for what is listed); "
        f"{len(comparison.exchanges)} requests; upstream answered {worked} of the plausible ones with success"
    )
    assert worked >= 410, "the seeded state no longer serves the plausible requests"


def test_no_difference_but_the_listed_ones(comparison: Comparison) -> None:
    found = unlisted(comparison.findings, ROUTES)
    assert not found, f"{len(found)} differences:\n" + "\n".join(map(str, found[:200]))


def test_every_listed_difference_is_seen(comparison: Comparison) -> None:
    assert not unseen(comparison.findings, ROUTES), "take it off the list, and off the README's"


def test_rows_alike(comparison: Comparison) -> None:
    upstream, ours = comparison.stored
    differing = {
        table: {
            "only upstream": list(upstream[table] - ours[table]),
            "only ours": list(ours[table] - upstream[table]),
        }
        for table in upstream
        if upstream[table] != ours[table]
    }
    assert not differing
