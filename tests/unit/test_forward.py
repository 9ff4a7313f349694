"""The forwarder behind gunicorn's workers: both ends are sockets of this test, so that each step is seen."""

from __future__ import annotations

import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import final

import pytest

from tests.support.processes import RunningServer, clean_environment, free_port, start_server

WORKERS = ("mlflow_accel.server.gevent_worker.Worker", "gthread", "sync")
SECONDS = 30.0
ROOT = Path(__file__).parents[2]


@final
class End:
    """One end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        self.socket = connection
        self.received = b""

    def send(self, text: bytes) -> None:
        """Send ``text`` as it is."""
        self.socket.sendall(text)

    def until(self, text: bytes) -> bytes:
        """Return all that comes up to and with ``text``."""
        while text not in self.received:
            more = self.socket.recv(65536)
            assert more, f"hung up before {text!r}, after {self.received[-200:]!r}"
            self.received += more
        found, _, self.received = self.received.partition(text)
        return found + text

    def head(self) -> str:
        """Return the next message's first line and headers."""
        return self.until(b"\r\n\r\n").decode("latin-1")

    def exactly(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        while len(self.received) < size:
            more = self.socket.recv(65536)
            assert more, f"hung up {size - len(self.received)} bytes too early"
            self.received += more
        found, self.received = self.received[:size], self.received[size:]
        return found

    def rest(self) -> bytes:
        """Return all that comes until the other end hangs up."""
        while more := self._more():
            self.received += more
        return self.received

    def _more(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@final
class Between:
    """A server that passes on, with the test at both its ends."""

    def __init__(self, server: RunningServer, listener: socket.socket) -> None:
        self.server, self._listener = server, listener
        self._ends: list[End] = []

    def ask(self, *lines: str, body: bytes = b"") -> End:
        """Send a request; return the client's end."""
        client = End(socket.create_connection(("127.0.0.1", self.server.port)))
        self._ends.append(client)
        client.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return client

    def peer(self) -> End:
        """Return the end at which the request arrives."""
        peer = End(self._listener.accept()[0])
        self._ends.append(peer)
        return peer

    def close(self) -> None:
        """Hang up at every end."""
        for end in self._ends:
            end.close()


@pytest.fixture(scope="module", params=WORKERS, ids=("gevent", "gthread", "sync"))
def front(
    request: pytest.FixtureRequest, new_directory: Callable[[], Path]
) -> Iterator[tuple[RunningServer, socket.socket]]:
    """A server of one worker class, and the listening socket to which it passes on."""
    # The name of a Unix socket is short; pytest's directories need not be.
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/peer")
        listener.listen()
        listener.settimeout(SECONDS)
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-k",
            request.param,
            "-b",
            f"127.0.0.1:{port}",
            "--threads",
            "4",
        ]
        environment = clean_environment({"PEER": f"{directory}/peer"})
        environment["PYTHONPATH"] += f":{ROOT}"
        server = start_server(
            [*command, "--no-control-socket", "tests.unit.forwarding:application"],
            port=port,
            cwd=new_directory(),
            env=environment,
        )
        yield server, listener
        server.stop()


@pytest.fixture
def between(front: tuple[RunningServer, socket.socket]) -> Iterator[Between]:
    """The way through the server; whatever a test leaves open is closed."""
    path = Between(*front)
    yield path
    path.close()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"


def headers(head: str) -> dict[str, str]:
    """Return the headers of a message, lower case."""
    return {name.lower(): value for name, value in re.findall(r"^([^:\r\n]+): *(.*?)\r$", head, re.MULTILINE)}


def test_target_and_headers_arrive_as_sent(between: Between) -> None:
    client = between.ask(
        "GET /a%2Fb/%C3%A9?q=%20&q=2 HTTP/1.1",
        "Host: example.org:5000",
        "X-One: \xe9",
        "X-Two: 1",
        "X-Two: 2",
        "Cookie: a=b",
    )
    peer = between.peer()
    head = peer.head()
    assert head.startswith("GET /a%2Fb/%C3%A9?q=%20&q=2 HTTP/1.1\r\n")
    sent = headers(head)
    assert sent == {
        "host": "example.org:5000",
        "x-one": "\xe9",
        "x-two": "1,2",
        "cookie": "a=b",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "connection": "close",
    }
    peer.send(OK)
    assert client.head().startswith("HTTP/1.1 200 OK\r\n")


def test_connection_headers_stay_on_their_connection(between: Between) -> None:
    client = between.ask(
        "GET / HTTP/1.1",
        "Host: h",
        "Connection: keep-alive, X-Mine",
        "X-Mine: 1",
        "Keep-Alive: 5",
        "TE: trailers",
        "Upgrade: x",
    )
    peer = between.peer()
    assert set(headers(peer.head())) == {"host", "x-forwarded-for", "x-forwarded-proto", "connection"}
    peer.send(
        b"HTTP/1.1 200 Fine\r\nserver: s\r\ndate: d\r\nkeep-alive: 3\r\nx-a: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    head = client.head()
    assert head.startswith("HTTP/1.1 200 Fine\r\n")
    assert (
        head.lower().count("server:")
        == head.lower().count("date:")
        == head.lower().count("transfer-encoding:")
        == 1
    )
    assert re.findall(r"x-a: (\d)", head) == ["1", "2"]
    assert "keep-alive" not in headers(head)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({}, "127.0.0.1"),
        ({"X-Forwarded-For": "8.8.8.8"}, "8.8.8.8"),
        ({"X-Forwarded-For": "127.0.0.1, 8.8.8.8"}, "8.8.8.8"),
        ({"Forwarded": "for=8.8.8.8", "X-Forwarded-Host": "evil", "X-Forwarded-Prefix": "/x"}, "127.0.0.1"),
    ],
    ids=["nobody", "a proxy of this machine", "a proxy that was lied to", "what nobody reads"],
)
def test_client_address_is_told_once(between: Between, sent: dict[str, str], told: str) -> None:
    between.ask("GET / HTTP/1.1", "Host: h", *(f"{name}: {value}" for name, value in sent.items()))
    peer = between.peer()
    found = headers(peer.head())
    assert found["x-forwarded-for"] == told
    assert not {"forwarded", "x-forwarded-host", "x-forwarded-prefix"} & set(found)
    peer.send(OK)


def test_answer_is_passed_back_piece_by_piece(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h")
    peer = between.peer()
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for text in (b"data: 1\n\n", b"data: 2\n\n"):
        peer.send(b"%x\r\n%s\r\n" % (len(text), text))
        assert client.until(text)
    peer.send(b"0\r\n\r\n")
    assert client.until(b"0\r\n\r\n")


def test_answer_that_ends_with_its_connection(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h", "Connection: close")
    peer = between.peer()
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome text")
    peer.close()
    assert b"some text" in client.rest()


def test_bodies_larger_than_any_buffer(between: Between) -> None:
    pieces = [bytes([number]) * 262_144 for number in range(20)]
    length = sum(map(len, pieces))
    client = between.ask(
        "PUT / HTTP/1.1", "Host: h", f"Content-Length: {length}", "Content-Type: a/b", "Connection: close"
    )
    peer = between.peer()
    found = headers(peer.head())
    assert (found["content-length"], found["content-type"]) == (str(length), "a/b")
    for piece in pieces:
        # What was sent arrives before the next piece is sent.
        client.send(piece)
        assert peer.exactly(len(piece)) == piece
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length)
    # The head does not wait for the body.
    client.head()
    for piece in pieces:
        peer.send(piece)
        assert client.exactly(len(piece)) == piece
    assert client.rest() == b""


def test_chunked_body(between: Between) -> None:
    client = between.ask(
        "POST / HTTP/1.1",
        "Host: h",
        "Transfer-Encoding: chunked",
        body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    )
    peer = between.peer()
    assert headers(peer.head())["transfer-encoding"] == "chunked"
    assert re.sub(rb"\d+\r\n|\r\n", b"", peer.until(b"0\r\n\r\n")) == b"abcde"
    peer.send(OK)
    assert client.until(b"OK")


def test_continue(between: Between) -> None:
    client = between.ask("POST / HTTP/1.1", "Host: h", "Content-Length: 3", "Expect: 100-continue")
    assert client.head() == "HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    peer = between.peer()
    assert "expect" not in headers(peer.head())
    assert peer.until(b"abc")
    peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert client.head().startswith("HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")]
)
def test_answers_without_a_body(between: Between, method: str, status: str) -> None:
    client = between.ask(f"{method} / HTTP/1.1", "Host: h", "Connection: close")
    peer = between.peer()
    peer.head()
    length = "" if status.startswith("204") else "content-length: 5\r\n"
    peer.send(f'HTTP/1.1 {status}\r\netag: "x"\r\n{length}\r\n'.encode())
    head = client.head()
    assert head.startswith(f"HTTP/1.1 {status}")
    assert headers(head)["etag"] == '"x"'
    assert headers(head).get("content-length") == ("5" if length else None)
    assert client.rest() == b""


def test_answer_before_the_body_was_read(between: Between) -> None:
    client = between.ask(
        "PUT / HTTP/1.1", "Host: h", "Content-Length: 100000000", "Connection: close", body=bytes(100_000)
    )
    peer = between.peer()
    peer.head()
    peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    peer.close()
    # It is seen when the next piece has come.
    client.send(bytes(200_000))
    assert client.head().startswith("HTTP/1.1 413 Too Large")


def test_client_that_hangs_up_before_an_answer(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h")
    peer = between.peer()
    peer.head()
    client.close()
    assert peer.rest() == b""


def test_client_that_hangs_up_while_it_is_answered(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h")
    peer = between.peer()
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
    client.until(b"a")
    client.close()
    assert peer.rest() == b""


def test_client_that_hangs_up_while_it_sends(between: Between) -> None:
    client = between.ask("PUT / HTTP/1.1", "Host: h", "Content-Length: 100", body=b"abc")
    peer = between.peer()
    peer.head()
    client.close()
    peer.rest()


def test_client_that_begins_its_next_request(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h")
    peer = between.peer()
    peer.head()
    client.send(b"GET /")
    peer.send(OK)
    assert client.until(b"OK")


def test_peer_that_hangs_up_before_it_answers(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h")
    peer = between.peer()
    peer.head()
    peer.close()
    assert headers(client.head())["x-error"] == "Broken"


def test_peer_that_hangs_up_while_it_answers(between: Between) -> None:
    client = between.ask("GET / HTTP/1.1", "Host: h")
    peer = between.peer()
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
    client.until(b"a\r\n")
    peer.close()
    assert not client.rest().endswith(b"0\r\n\r\n"), "the client must not take it for whole"


def test_target_that_http_does_not_allow(between: Between) -> None:
    client = between.ask("GET /\xe9 HTTP/1.1", "Host: h")
    assert client.head().startswith("HTTP/1.1 400 ")
    assert between.peer().rest() == b""


def test_nobody_listens(new_directory: Callable[[], Path]) -> None:
    from mlflow_accel.server.forward import Unreachable, forward

    with pytest.raises(Unreachable):
        forward(new_directory() / "absent", {}, lambda *_: None)
