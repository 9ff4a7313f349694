"""What may take long is computed in a process of its own, as if where it was asked; without one, where it was asked."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlflow_accel.server import runtime
from tests.servers.counting import Counting
from tests.servers.plugins import installed
from tests.support.databases import SqliteDatabases
from tests.support.http import Answer, Request, json_request, send
from tests.support.processes import RunningServer, children, eventually
from tests.support.servers import ServerFactory

API = "/api/2.0/mlflow"
SEARCH = {"experiment_ids": ["0"], "unknown": True}
"""Upstream ignores the field, and no fast path takes it; the default is 1000 runs."""

SEEING = """
import json
import os

from flask import request

from mlflow.server import app


@app.before_request
def note():
    request.environ["seen"] = request.environ.get("seen", 0) + 1


@app.after_request
def tell(response):
    seen = {
        "pid": os.getpid(),
        "times": request.environ["seen"],
        "client": request.remote_addr,
        "url": request.url,
        "for": request.headers.get("X-Forwarded-For"),
        "forged": request.headers.get("X-MLflow-Accel-Request"),
        "connection": request.headers.get("Connection"),
    }
    response.headers["X-Seen"] = json.dumps(seen)
    return response


def create_app():
    return app
"""


def cold_worker(server: RunningServer) -> int:
    """Return the pid of the server's cold worker, once it listens."""
    directory = runtime.servers()[server.process.pid]
    eventually(lambda: runtime.cold_worker(directory) is not None)
    pid = runtime.cold_worker(directory)
    assert pid is not None
    return pid


def search(server: RunningServer) -> Answer:
    """Search the runs, as no fast path does."""
    return send(server.port, json_request("POST", f"{API}/runs/search", SEARCH))


@pytest.fixture(scope="module")
def server(module_ours: ServerFactory, sqlite_databases: SqliteDatabases, runtime_directory: dict[str, str]) -> RunningServer:
    """A server with one worker, and a run in its database."""
    server = module_ours("--backend-store-uri", sqlite_databases.fresh(), env=runtime_directory)
    created = send(server.port, json_request("POST", f"{API}/runs/create", {"experiment_id": "0"}))
    assert created.status == 200
    return server


@pytest.fixture
def held(server: RunningServer) -> Iterator[int]:
    """The cold worker, standing still."""
    pid = cold_worker(server)
    os.kill(pid, signal.SIGSTOP)
    yield pid
    if runtime.is_alive(str(pid)):
        os.kill(pid, signal.SIGCONT)


def test_others_are_answered_while_a_long_answer_is_computed(server: RunningServer, held: int) -> None:
    counting = Counting(server)
    answers: list[Answer] = []
    client = threading.Thread(target=lambda: answers.append(search(server)))
    client.start()
    eventually(lambda: counting.counts().get("cold_worker") == {"passed_on": 1} or not client.is_alive())
    for path in ("/health", f"{API}/experiments/get?experiment_id=0"):
        assert send(server.port, Request("GET", path)).status == 200
    assert not answers
    os.kill(held, signal.SIGCONT)
    client.join()
    [answer] = answers
    found: Any = answer.json()
    assert (answer.status, len(found["runs"])) == (200, 1)


def test_what_is_short_or_refused_stays_where_it_is(server: RunningServer, held: int) -> None:
    sent: list[tuple[dict[str, Any], int]] = [
        (SEARCH | {"max_results": 100}, 200),
        (SEARCH | {"max_results": "many"}, 400),
    ]
    for body, status in sent:
        assert send(server.port, json_request("POST", f"{API}/runs/search", body)).status == status
    broken = Request("POST", f"{API}/runs/search", {"Content-Type": "application/json"}, b'{"max_results": 1000')
    # Upstream takes it for an empty search.
    assert send(server.port, broken).status == 200


def test_a_dead_one_is_done_without_and_replaced(server: RunningServer) -> None:
    here = search(server).body
    victim = cold_worker(server)
    os.kill(victim, signal.SIGKILL)
    answer = search(server)
    assert (answer.status, answer.body) == (200, here)
    eventually(lambda: len(children(server.process.pid)) == 2 and victim not in children(server.process.pid))
    assert cold_worker(server) != victim
    counting = Counting(server)
    assert search(server).body == here
    assert counting.counts()["cold_worker"] == {"passed_on": 1}


def test_each_generation_of_workers_has_one(server: RunningServer) -> None:
    before = cold_worker(server)
    old = set(children(server.process.pid))
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(children(server.process.pid)) == 2 and not old & set(children(server.process.pid)))
    assert cold_worker(server) in set(children(server.process.pid)) - {before}
    counting = Counting(server)
    assert search(server).status == 200
    assert counting.counts()["cold_worker"] == {"passed_on": 1}


def test_hooks_run_once_where_the_answer_is_computed(
    ours: ServerFactory, sqlite_uri: str, runtime_directory: dict[str, str], new_directory: Callable[[], Path]
) -> None:
    env = installed(new_directory(), SEEING, "mlflow.app", "seeing = plugged:create_app")
    server = ours("--backend-store-uri", sqlite_uri, "--app-name", "seeing", env=env | runtime_directory)
    cold = cold_worker(server)
    forged = json.dumps({"REMOTE_ADDR": "6.6.6.6"})
    headers = {
        "Host": f"localhost:{server.port}",
        "X-Forwarded-For": "10.1.2.3",
        "X-MLflow-Accel-Request": forged,
        "Connection": "keep-alive",
    }
    path = f"{API}/runs/search"
    for asked, where in ((SEARCH, True), (SEARCH | {"max_results": 1}, False)):
        seen = json.loads(send(server.port, json_request("POST", path, asked, headers)).header("X-Seen")[0])
        assert (seen.pop("pid") == cold) is where
        assert seen == {
            "times": 1,
            "client": "127.0.0.1",
            "url": f"http://localhost:{server.port}{path}",
            "for": "10.1.2.3",
            "forged": forged,
            "connection": "keep-alive",
        }
