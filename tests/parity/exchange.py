"""One request to both servers, and everything in which the two answers differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.parity.correspondence import Correspondence
from tests.support.http import Answer, Connection, Request, send
from tests.support.processes import RunningServer

HEADERS = (
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Allow",
    "Cache-Control",
    "Content-Disposition",
    "ETag",
    "Last-Modified",
    "Location",
    "Set-Cookie",
    "Vary",
    "WWW-Authenticate",
    "X-Content-Type-Options",
    "X-Frame-Options",
)
"""The headers that are compared, beside Content-Type; the rest belongs to the transport."""

MAP_FIELDS = {"tags", "trace_metadata", "metadata", "attributes"}
"""Objects that protobuf writes from maps: their order changes from process to process upstream too."""


@dataclass(frozen=True)
class Finding:
    """One respect in which ours answered differently; ``status`` is upstream's."""

    route: str
    case: str
    status: int
    aspect: str
    upstream: object
    ours: object

    def __str__(self) -> str:
        def short(value: object) -> str:
            text = str(value)
            return text if len(text) < 300 else f"{text[:300]}... ({len(text)} characters)"

        return (
            f"{self.route} [{self.case}] {self.aspect}\n"
            f"    upstream: {short(self.upstream)}\n        ours: {short(self.ours)}"
        )


def field_order(value: object, name: str = "") -> object:
    """Return the names of ``value``'s fields in the order in which they stand, at every depth."""
    if isinstance(value, dict):
        if name in MAP_FIELDS:
            return None
        return [(key, field_order(inner, key)) for key, inner in value.items()]
    if isinstance(value, list):
        return [field_order(inner, name) for inner in value]
    return None


def _header(answer: Answer, name: str) -> list[str]:
    values = answer.header(name)
    if name == "ETag":
        # Werkzeug's ends in a checksum of the file's path, and each server has files of its own.
        return [re.sub(r'^("[\d.]+-\d+)-\d+"$', r'\1"', value) for value in values]
    if name in ("Vary", "Allow"):
        return sorted({part.strip().lower() for value in values for part in value.split(",")})
    return values


def _json(answer: Answer) -> object:
    """Return the parsed body, or ``...`` where it is no JSON."""
    if "json" not in "".join(answer.header("Content-Type")).lower():
        return ...
    try:
        return json.loads(answer.body)
    except ValueError:
        return ...


Aspect = tuple[str, object, object]
"""In what two answers differ: its name, upstream's value and ours."""


def _by_key(value: Any) -> Any:
    """Return ``value`` with each list of keyed objects in the order of its keys.

    Upstream reads a run's metrics, params and tags without an ORDER BY: PostgreSQL returns them as they happen to lie.
    """
    if isinstance(value, dict):
        return {name: _by_key(item) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [_by_key(item) for item in value]
    keyed = items and all(isinstance(item, dict) and isinstance(item.get("key"), str) for item in items)
    # Stable: a history, whose items share one key, stays as it is.
    return sorted(items, key=lambda item: item["key"]) if keyed else items


def _bodies(upstream: Answer, ours: Answer, alike: Correspondence) -> list[Aspect]:
    parsed = _by_key(_json(upstream)), _by_key(_json(ours))
    if parsed[0] is ... or parsed[1] is ...:
        left, right = upstream.body.decode("latin-1"), ours.body.decode("latin-1")
        return [] if alike.texts_alike(left, right) else [("body", left, right)]
    found: list[Aspect] = [(f"body{place}", one, other) for place, one, other in alike.differences(*parsed)]
    orders = field_order(parsed[0]), field_order(parsed[1])
    if orders[0] != orders[1] and not found:
        found.append(("field order", *orders))
    return found


def compare(upstream: Answer, ours: Answer, alike: Correspondence) -> list[Aspect]:
    """Return each aspect in which the answers differ."""
    found: list[Aspect] = []
    if upstream.status != ours.status:
        found.append(("status", upstream.status, ours.status))
    left, right = ([value.lower() for value in answer.header("Content-Type")] for answer in (upstream, ours))
    if left != right:
        found.append(("content-type", left, right))
    found += _bodies(upstream, ours, alike)
    for name in HEADERS:
        left, right = _header(upstream, name), _header(ours, name)
        if left != right and not alike.texts_alike(", ".join(left), ", ".join(right)):
            found.append((f"header {name}", left, right))
    return found


@dataclass(frozen=True)
class Exchange:
    """A request, upstream's answer and ours, and in what ours differs."""

    request: Request
    answers: tuple[Answer, Answer]
    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """Upstream's status."""
        return self.answers[0].status


Server = tuple[RunningServer, str]
"""A running server and the URI of its database."""


class Pair:
    """Upstream's server and ours, in the same state; each request goes to both at once."""

    def __init__(self, upstream: Server, ours: Server, alike: Correspondence) -> None:
        """``alike`` is what has been found to stand for what in their answers."""
        self.servers = (upstream[0], ours[0])
        self.uris = (upstream[1], ours[1])
        self.alike = alike

    def ask(
        self, request: Request, route: str, case: str, pieces: Callable[[], Iterable[bytes]] | None = None
    ) -> Exchange:
        """Send ``request`` to both and compare the answers; ``route`` and ``case`` name it in what is found.

        ``pieces`` yields the body as it is to go out.
        """
        with ThreadPoolExecutor(2) as pool:
            upstream, ours = pool.map(lambda server: send(server.port, request, pieces), self.servers)
        return self.compared(request, upstream, ours, route, case)

    def converse(self, requests: Sequence[Request], case: str) -> list[Exchange]:
        """Send ``requests`` in order on one connection to each server, and compare the answers.

        Raises:
            AssertionError: a server closed the connection between two of them.
        """

        def talk(server: RunningServer) -> list[Answer]:
            with Connection(server.port) as connection:
                answers = [connection.send(request) for request in requests]
                assert connection.opened == 1, "the connection was not kept"
                return answers

        with ThreadPoolExecutor(2) as pool:
            upstream, ours = pool.map(talk, self.servers)
        return [
            self.compared(request, first, second, str(request), case)
            for request, first, second in zip(requests, upstream, ours, strict=True)
        ]

    def compared(self, request: Request, upstream: Answer, ours: Answer, route: str, case: str) -> Exchange:
        """Return the two answers to ``request`` with what differs."""
        found = compare(upstream, ours, self.alike)
        return Exchange(
            request, (upstream, ours), tuple(Finding(route, case, upstream.status, *each) for each in found)
        )
