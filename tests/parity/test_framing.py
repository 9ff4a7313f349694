"""How a body arrives: after its head, in pieces, in chunks; asked of every way in which one is read."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Exchange, Pair
from tests.parity.odd_values import metric
from tests.parity.templates import fill
from tests.parity.writes import add_run, new_ids
from tests.support.http import Request, json_request

API = "/api/2.0/mlflow"

BODIES: dict[str, dict[str, object]] = {
    "runs/log-metric": metric(),
    "runs/log-batch": {"run_id": "$run", "tags": [{"key": "long", "value": "v" * 5000}] * 20},
    "runs/set-tag": {"run_id": "$run", "key": "k", "value": "v"},
    "runs/search": {"experiment_ids": ["0"], "filter": "attributes.run_id = '$run'"},
    "experiments/search": {"max_results": 1},
}
"""The hot routes, one that Flask serves, and two that run in a thread."""


@pytest.fixture(scope="module")
def run(write_pair: Pair) -> str:
    """A run in both databases."""
    ids = new_ids()
    for uri in write_pair.uris:
        add_run(uri, ids, "active")
    return ids["run"]


def _request(path: str, run: str, **headers: str) -> Request:
    return json_request("POST", f"{API}/{path}", fill(BODIES[path], {"run": run}), headers)


def _alike(exchange: Exchange) -> None:
    assert exchange.status == 200
    assert not unlisted(exchange.findings, ROUTES)


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_comes_after_its_head(write_pair: Pair, run: str, path: str) -> None:
    request = _request(path, run)
    body = request.body or b""

    def late() -> Iterator[bytes]:
        for piece in (body[:10], body[10:]):
            # Nothing tells when a server has begun to wait for the body; this is long enough for both.
            time.sleep(0.2)
            yield piece

    _alike(write_pair.ask(request, path, "late body", pieces=late))


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_waits_for_leave(write_pair: Pair, run: str, path: str) -> None:
    _alike(write_pair.ask(_request(path, run, Expect="100-continue"), path, "100-continue"))


@pytest.mark.parametrize("path", BODIES)
def test_a_chunked_body_is_read(write_pair: Pair, run: str, path: str) -> None:
    request = _request(path, run, **{"Transfer-Encoding": "chunked"})
    body = request.body or b""
    parts = body[:10], body[10:], b""
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    exchange = write_pair.ask(request, path, "chunked", pieces=lambda: iter(chunks))
    whole = write_pair.ask(_request(path, run), path, "whole")
    upstream, ours = exchange.answers
    assert (ours.status, ours.body) == (200, whole.answers[1].body)
    assert upstream.body != whole.answers[0].body, "take it off the README's list of differences"
