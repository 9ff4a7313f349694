"""Requests sent exactly as written: nothing is added to them, and the whole answer is returned."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import final

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """One request; ``path`` includes the query. Host and Content-Length are added where it has none."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """One response; a header that was sent twice is there twice."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> list[str]:
        """Return every value of the header ``name``, in the order in which they were sent."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> object:
        """Return the parsed body. Raises ``ValueError`` where it is not JSON."""
        return json.loads(self.body)


def json_request(method: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> Request:
    """Return a request whose body is ``body`` as JSON."""
    head = {"Content-Type": "application/json", **(headers or {})}
    return Request(method, path, head, json.dumps(body).encode())


@final
class Connection:
    """One keep-alive connection to a server of this machine; opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.opened = 0
        """How often it has been opened so far."""

    def send(self, request: Request, pieces: Callable[[], Iterable[bytes]] | None = None) -> Answer:
        """Send ``request`` and return its answer; the connection stays open if the server keeps it.

        ``pieces`` yields the body as it is to go out, each piece when it comes; without it, the body follows
        its head.
        """
        self.opened += self._http.sock is None
        given = {name.lower() for name in request.headers}
        self._http.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        if "host" not in given:
            self._http.putheader("Host", f"127.0.0.1:{self._http.port}")
        for name, value in request.headers.items():
            self._http.putheader(name, value)
        if request.body is not None and not given & {"content-length", "transfer-encoding"}:
            self._http.putheader("Content-Length", str(len(request.body)))
        self._http.endheaders(request.body if pieces is None else None)
        for piece in pieces() if pieces is not None else ():
            self._http.send(piece)
        response = self._http.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._http.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def send(port: int, request: Request, pieces: Callable[[], Iterable[bytes]] | None = None) -> Answer:
    """Send ``request`` on a connection of its own; ``pieces`` as in :meth:`Connection.send`."""
    with Connection(port) as connection:
        return connection.send(request, pieces)
