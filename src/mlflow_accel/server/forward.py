"""Pass a request on to another process of this server, over HTTP on a Unix socket, and its answer back, as they come.

Works in every worker class of gunicorn's. Neither body is ever held whole: what the client sends is sent on while it
arrives, and each piece of the answer is passed back at once. When the client hangs up, so does this side.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import quote
from wsgiref.util import is_hop_by_hop

import h11

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Headers = list[tuple[bytes, bytes]]

PIECE = 65536
"""Bytes that are read at once."""

NOT_PASSED_ON = ("forwarded", "expect", "content-type", "content-length")
"""Request headers: a client's word for where it comes from, what gunicorn has answered, what WSGI keeps elsewhere."""

NOT_PASSED_BACK = ("date", "server")
"""Response headers that gunicorn writes itself."""

TRUSTED_PROXIES = "127.0.0.1,::1"
"""Who is believed to say for whom it asks, where ``FORWARDED_ALLOW_IPS`` names nobody."""


class Unreachable(Exception):
    """Nobody listens there. Nothing has been read of the request."""


class Broken(Exception):
    """The other process hung up before its answer was whole; it may or may not have done what it was asked."""


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


def forward(
    path: str | os.PathLike[str],
    environ: Environ,
    start_response: StartResponse,
    who: Callable[[Environ], Headers] | None = None,
) -> Iterator[bytes]:
    """Answer a WSGI request with what the process that listens at ``path`` answers.

    ``who`` gives the headers that say who asks: the client's address and scheme where it is not given.

    Raises:
        Unreachable: nobody listens; the request may be passed on elsewhere.
        Broken: the connection ended before an answer began.
        ConnectionResetError: the client hung up, which gunicorn takes silently.
    """
    exchange = _Exchange(_connect(path), environ, who or _peer_headers)
    try:
        start_response(*exchange.ask())
    except h11.LocalProtocolError as ex:
        # gunicorn takes more for a target than HTTP allows.
        exchange.close()
        start_response("400 Bad Request", [("Content-Type", "text/plain; charset=utf-8")])
        return iter((f"{ex}\n".encode(),))
    except BaseException:
        exchange.close()
        raise
    return exchange


def _connect(path: str | os.PathLike[str]) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.connect(os.fspath(path))
    except (FileNotFoundError, ConnectionRefusedError) as ex:
        peer.close()
        raise Unreachable(f"{path}: {ex.strerror}") from None
    except BaseException:
        peer.close()
        raise
    return peer


class _Exchange(Iterator[bytes]):
    """One request and its answer, whose body this iterates over."""

    def __init__(self, peer: socket.socket, environ: Environ, who: Callable[[Environ], Headers]) -> None:
        self._peer, self._environ, self._who = peer, environ, who
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=PIECE)
        self._client: socket.socket | None = environ.get("gunicorn.socket")
        if isinstance(self._client, ssl.SSLSocket):
            # Whether it hung up cannot be seen without decrypting; the next write tells.
            self._client = None
        self._head_is_sent = False

    def ask(self) -> tuple[str, list[tuple[str, str]]]:
        """Send the request; return the answer's status line and headers, for ``start_response``."""
        self._send_request()
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                break
        headers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
        kept = [(n, v) for n, v in headers if not is_hop_by_hop(n) and n not in NOT_PASSED_BACK]
        return f"{event.status_code} {event.reason.decode('latin-1')}", kept

    def __next__(self) -> bytes:
        if not self._head_is_sent:
            # gunicorn sends the head with the first piece, even an empty one.
            self._head_is_sent = True
            if not self._http.trailing_data[0]:
                return b""
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                raise StopIteration

    def close(self) -> None:
        """Hang up; WSGI servers call this however the answer ended."""
        self._peer.close()

    def _send_request(self) -> None:
        environ = self._environ
        request = h11.Request(
            method=environ["REQUEST_METHOD"],
            target=_target(environ).encode("latin-1"),
            headers=[*_headers(environ), *self._who(environ)],
        )
        try:
            self._send(request)
            for piece in _body(self._environ):
                if self._is_readable():
                    # Answered before the body was read: an error, mostly. What is left of it is not for anybody.
                    return
                self._send(h11.Data(piece))
            self._send(h11.EndOfMessage())
        except (BrokenPipeError, ConnectionResetError):
            # It no longer reads, but may have answered.
            return

    def _send(self, event: h11.Event) -> None:
        self._peer.sendall(self._http.send(event) or b"")

    def _next_event(self) -> Any:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._wait()
                self._http.receive_data(self._receive())
        except h11.RemoteProtocolError as ex:
            raise Broken(str(ex)) from ex
        return event

    def _receive(self) -> bytes:
        try:
            return self._peer.recv(PIECE)
        except ConnectionResetError:
            return b""

    def _is_readable(self) -> bool:
        poll = select.poll()
        poll.register(self._peer, select.POLLIN)
        return bool(poll.poll(0))

    def _wait(self) -> None:
        """Wait until the peer has sent something, or has hung up; raise if the client hangs up before."""
        if self._client is None:
            return
        poll = select.poll()
        poll.register(self._peer, select.POLLIN)
        poll.register(self._client, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._client.fileno() not in ready:
            return
        if not self._client.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError(errno.ECONNRESET, "the client hung up")
        # It sends its next request already, and waits for this one's answer.
        self._client = None


def _body(environ: Environ) -> Iterator[bytes]:
    """Yield the request's body, piece by piece."""
    body: _Input = environ["wsgi.input"]
    if "HTTP_TRANSFER_ENCODING" in environ:
        while piece := body.read(PIECE):
            yield piece
        return
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left:
        if not (piece := body.read(min(left, PIECE))):
            raise ConnectionResetError(errno.ECONNRESET, "the client hung up while it sent its request")
        left -= len(piece)
        yield piece


def _target(environ: Environ) -> str:
    """Return what the client asked for, as it wrote it."""
    raw: str = environ["RAW_URI"]
    if raw.startswith("/") and not environ.get("SCRIPT_NAME"):
        return raw
    path = quote(environ["PATH_INFO"].encode("latin-1"))
    return f"{path}?{query}" if (query := environ["QUERY_STRING"]) else path


def _headers(environ: Environ) -> Headers:
    """Return the client's headers, without those that concern one connection only and those that tell of proxies."""
    sent = {
        key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    named = {name.strip().lower() for name in sent.get("connection", "").split(",")}
    headers = [
        (name.encode(), value.encode("latin-1"))
        for name, value in sent.items()
        if not (
            name in NOT_PASSED_ON or name in named or name.startswith("x-forwarded-") or is_hop_by_hop(name)
        )
    ]
    if "host" not in sent:
        headers.append((b"host", b""))
    if environ.get("CONTENT_TYPE"):
        headers.append((b"content-type", environ["CONTENT_TYPE"].encode("latin-1")))
    if "HTTP_TRANSFER_ENCODING" in environ:
        headers.append((b"transfer-encoding", b"chunked"))
    elif environ.get("CONTENT_LENGTH"):
        headers.append((b"content-length", environ["CONTENT_LENGTH"].encode()))
    return [*headers, (b"connection", b"close")]


def _peer_headers(environ: Environ) -> Headers:
    """Return the headers that say who asks, for a process that trusts whatever they say."""
    client, scheme = origin(environ)
    headers = [(b"x-forwarded-proto", scheme.encode())]
    if client:
        headers.append((b"x-forwarded-for", client[0].encode("latin-1")))
    return headers


def trusted_proxies() -> str:
    """Return the addresses of the proxies that are believed to say for whom they ask."""
    return os.environ.get("FORWARDED_ALLOW_IPS", TRUSTED_PROXIES)


def origin(environ: Environ) -> tuple[tuple[str, int] | None, str]:
    """Return who asks, by address and port (0 where it is not known), and by which scheme.

    Whom to believe of those who say that they ask for somebody else is decided by uvicorn's own middleware, as in
    upstream's server: ``FORWARDED_ALLOW_IPS`` names the proxies that are believed.
    """
    # PERF: 0.1 s to import, and most workers never pass anything on.
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    async def nothing(*_: Any) -> None:
        """Stand where the middleware's application is: what it made of the scope is what is wanted."""

    address = environ.get("REMOTE_ADDR")
    sent = ((b"x-forwarded-for", "HTTP_X_FORWARDED_FOR"), (b"x-forwarded-proto", "HTTP_X_FORWARDED_PROTO"))
    scope: dict[str, Any] = {
        "type": "http",
        "client": (address, 0) if address else None,
        "scheme": environ["wsgi.url_scheme"],
        "headers": [(name, environ[key].encode("latin-1")) for name, key in sent if key in environ],
    }
    try:
        # It awaits nothing but its application, and so needs no event loop.
        ProxyHeadersMiddleware(nothing, trusted_proxies())(scope, nothing, nothing).send(None)  # type: ignore[arg-type]
    except StopIteration:
        pass
    return scope["client"], scope["scheme"]
