"""``--expose-prometheus``: the same metrics as upstream's, over all workers, dead ones included."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import accelerated
from tests.servers.counting import Counting
from tests.support.databases import SqliteDatabases
from tests.support.http import Request, send
from tests.support.processes import RunningServer, children, eventually
from tests.support.servers import ServerFactory


def names(server: RunningServer) -> set[tuple[str, str, str, frozenset[str]]]:
    """Return name and type of each metric, with the names of its samples and of their labels."""
    return {
        (family.name, family.type, sample.name, frozenset(sample.labels))
        for family in text_string_to_metric_families(exposed(server))
        for sample in family.samples
    }


def exposed(server: RunningServer) -> str:
    """Return what ``/metrics`` answers."""
    answer = send(server.port, Request("GET", "/metrics"))
    assert answer.status == 200, answer.body
    return answer.body.decode()


def posts(server: RunningServer) -> float:
    """Return how many POST requests were answered with 200, over all workers."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(exposed(server))
        for sample in family.samples
        if sample.name == "mlflow_http_request_total"
        and (sample.labels["method"], sample.labels["status"]) == ("POST", "200")
    )


def new_run(server: RunningServer) -> str:
    """Create a run, by one POST request, and return its id."""
    created: Any = send(server.port, accelerated.new_run()).json()
    run_id: str = created["run"]["info"]["run_id"]
    return run_id


def ask(server: RunningServer, run_id: str) -> int:
    """Ask every accelerated route once, and return how many POST requests that was."""
    requests = accelerated.requests(run_id)
    assert {send(server.port, request).status for request in requests} == {200}
    return sum(request.method == "POST" for request in requests)


@pytest.fixture(scope="module")
def server(
    module_ours: ServerFactory,
    sqlite_databases: SqliteDatabases,
    new_directory: Callable[[], Path],
    runtime_directory: dict[str, str],
) -> RunningServer:
    """Our server with two workers and their metrics."""
    options = ("--backend-store-uri", sqlite_databases.fresh(), "--expose-prometheus", str(new_directory()))
    return module_ours("--workers", "2", *options, env=runtime_directory)


def test_metrics_are_named_as_upstreams(
    server: RunningServer, upstream: ServerFactory, sqlite_uri: str, tmp_path: Path
) -> None:
    theirs = upstream("--backend-store-uri", sqlite_uri, "--expose-prometheus", str(tmp_path / "metrics"))
    asked = [ask(each, new_run(each)) for each in (server, theirs)]
    assert asked == [posts(theirs) - 1] * 2
    assert names(server) == names(theirs)


def test_compiled_answers_are_counted(server: RunningServer) -> None:
    run_id = new_run(server)
    before, counting = posts(server), Counting(server)
    asked = ask(server, run_id)
    assert posts(server) - before == asked
    assert counting.counts() == accelerated.FAST


def test_a_dead_workers_requests_stay_counted(server: RunningServer) -> None:
    ask(server, new_run(server))
    before = posts(server)
    victim = children(server.process.pid)[1]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(children(server.process.pid)) == 3 and victim not in children(server.process.pid))
    assert posts(server) == before
    asked = ask(server, new_run(server))
    assert posts(server) == before + 1 + asked
