"""The companion: there when a route needs it, once for all workers, as long as the arbiter, and told who asks."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

import pytest
from mlflow.server.assistant.api import _BLOCK_REMOTE_ACCESS_ERROR_MSG

from mlflow_accel.server import runtime
from tests.servers.test_process import gunicorn
from tests.support.databases import SqliteDatabases
from tests.support.http import Request, send
from tests.support.processes import RunningServer, eventually
from tests.support.servers import ServerFactory

MODELS = Request("GET", "/gateway/mlflow/v1/models")
"""A route that only the companion has."""

CONFIG = "/ajax-api/3.0/mlflow/assistant/config"
PROGRAM = "mlflow_accel.server.companion_process"


def program(pid: str) -> str:
    """Return the command line of a process: '' where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def companions(server: RunningServer) -> list[int]:
    """Return the pids of all companions of a server, whoever their parent is by now."""
    mine = f"{PROGRAM} {server.process.pid} "
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if mine in program(path.name)]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended."""
    return not runtime.is_alive(str(pid))


@pytest.fixture(scope="module", params=["command line", "gthread"])
def server(
    request: pytest.FixtureRequest,
    module_ours: ServerFactory,
    sqlite_databases: SqliteDatabases,
    new_directory: Callable[[], Path],
) -> Iterator[RunningServer]:
    """A server of two workers, of our command and of gunicorn alone."""
    uri = sqlite_databases.fresh()
    if request.param == "command line":
        yield module_ours("--backend-store-uri", uri, "--workers", "2")
    else:
        server = gunicorn("-k", "gthread", "-w", "2", "--threads", "8")(uri, new_directory())
        yield server
        server.stop()


def ask(server: RunningServer, number: int) -> list[int]:
    """Ask a route of the companion's so many times at once; return the statuses."""
    with ThreadPoolExecutor(number) as pool:
        return [answer.status for answer in pool.map(lambda _: send(server.port, MODELS), range(number))]


def test_it_is_started_by_those_who_need_it_and_once(server: RunningServer) -> None:
    assert send(server.port, Request("GET", "/version")).status == 200
    assert not companions(server)
    assert ask(server, 8) == [200] * 8
    assert len(companions(server)) == 1


def test_nothing_of_ours_is_inherited(server: RunningServer) -> None:
    ask(server, 1)
    [pid] = companions(server)
    process = Path(f"/proc/{pid}")
    names = {line.partition("=")[0] for line in (process / "environ").read_text().split("\0")}
    assert not {name for name in names if name.startswith(("GUNICORN", "LISTEN", "GEVENT"))}
    # Its own listening socket, on which it was started, is a Unix socket: it has no other network address.
    inodes = {os.readlink(path) for path in (process / "fd").iterdir()}
    tcp = {f"socket:[{line.split()[9]}]" for line in (process / "net/tcp").read_text().splitlines()[1:]}
    assert not inodes & tcp
    assert "gevent" not in (process / "maps").read_text()


def test_it_comes_back_when_it_was_killed_under_load(server: RunningServer) -> None:
    ask(server, 1)
    [pid] = companions(server)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(send, server.port, MODELS) for _ in range(40)]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: is_gone(pid))
        assert send(server.port, MODELS).status == 200
        statuses = [each.result().status for each in asked]
    assert set(statuses) <= {200, 503}
    assert len(companions(server)) == 1
    assert companions(server) != [pid]


def test_it_ends_with_a_server_that_ends(sqlite_uri: str, tmp_path: Path) -> None:
    server = gunicorn("-k", "gthread", "--threads", "2")(sqlite_uri, tmp_path)
    ask(server, 1)
    [pid] = companions(server)
    assert server.stop() == 0
    eventually(lambda: is_gone(pid))


def test_it_ends_with_an_arbiter_that_is_killed(ours: ServerFactory, sqlite_uri: str) -> None:
    server = ours("--backend-store-uri", sqlite_uri)
    ask(server, 1)
    [pid] = companions(server)
    os.kill(server.process.pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid))


def test_why_it_cannot_start_is_told(ours: ServerFactory, sqlite_uri: str) -> None:
    # uvicorn takes upstream's application for a function that makes one, here and in upstream's own server.
    server = ours("--backend-store-uri", sqlite_uri, env={"UVICORN_FACTORY": "1"})
    for _ in range(2):
        answer = send(server.port, MODELS)
        assert answer.status == 503
        assert "Error loading ASGI app factory" in str(answer.json())
        assert answer.header("Retry-After")
    eventually(lambda: not companions(server))


@final
class Client:
    """Asks from an address of its own."""

    def __init__(self, port: int, address: str) -> None:
        self._port, self._address = port, address

    def configure(self, **headers: str) -> tuple[int, bytes]:
        """Ask for what the assistant lets only its own machine do; return status and body."""
        lines = [
            "PUT " + CONFIG + " HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            "Content-Length: 2",
        ]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        with socket.create_connection(
            (self._address, self._port), source_address=(self._address, 0)
        ) as connection:
            connection.sendall("\r\n".join([*lines, "Connection: close", "", "{}"]).encode())
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
        return int(head.split()[1]), body


def own_address() -> str:
    """Return an address of this machine that is not its loopback's; skips the test where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("needs a network interface beside the loopback")
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def open_server(
    module_ours: ServerFactory, sqlite_databases: SqliteDatabases, new_directory: Callable[[], Path]
) -> RunningServer:
    """Our server at every address of this machine, with a home directory of its own."""
    home = {"HOME": str(new_directory())}
    return module_ours("--backend-store-uri", sqlite_databases.fresh(), "--host", "0.0.0.0", env=home)


def test_a_client_of_this_machine_may(open_server: RunningServer) -> None:
    assert Client(open_server.port, "127.0.0.1").configure()[0] == 200


@pytest.mark.parametrize(
    ("headers", "is_proxy"),
    [
        ({}, False),
        ({"X_Forwarded_For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X_Real_IP": "127.0.0.1"}, False),
        ({"X_Forwarded_For": "203.0.113.9"}, True),
        ({"X_Forwarded_For": "127.0.0.1, 203.0.113.9"}, True),
    ],
    ids=["remote", "remote and forged", "behind a proxy of this machine", "behind a proxy, and forged"],
)
def test_a_client_elsewhere_may_not(
    open_server: RunningServer, headers: dict[str, str], is_proxy: bool
) -> None:
    client = Client(open_server.port, "127.0.0.1" if is_proxy else own_address())
    status, body = client.configure(**headers)
    assert status == 403
    assert _BLOCK_REMOTE_ACCESS_ERROR_MSG.encode() in body
