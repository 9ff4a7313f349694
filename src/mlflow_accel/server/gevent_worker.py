"""gunicorn's gevent worker: it also ends connections that wait for a request when told to stop, and sends less often."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import gevent
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers import ggevent

CLOSE_SECONDS = 0.5
"""How often connections without a request are looked for while the worker stops."""

MAX_JOINED = 65_536
"""Bytes of a piece of the body that are worth copying behind the head."""


class Worker(ggevent.GeventWorker):  # type: ignore[misc]
    """Upstream's server closes idle connections when it stops; gunicorn waits for them as for requests, for 30 s."""

    is_cold = False
    """Whether it computes what the others pass on: see ``cold``."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._idle: set[gevent.Greenlet] = set()

    def init_process(self) -> None:
        """Run the worker."""
        wsgi.Response = Response
        ggevent.StreamServer = Listener
        util.http_date = _http_date
        super().init_process()

    def timeout_ctx(self) -> Any:
        """Return the context in which a connection waits for its next request."""
        return _Idle(self._idle, super().timeout_ctx())

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop: requests are answered, connections without one are closed."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._close_idle)

    def _close_idle(self) -> None:
        # Again and again: up to a second goes by until gunicorn stops listening, and whoever connects meanwhile and
        # asks for nothing would be waited for, too. Found idle twice: a connection that has just been made is idle
        # until its first bytes are read, and closed over them it would be reset.
        before: set[gevent.Greenlet] = set()
        while True:
            for connection in before & self._idle:
                # What gunicorn itself raises where a connection is to be closed without an error.
                gevent.kill(connection, StopIteration)
            before = set(self._idle)
            gevent.sleep(CLOSE_SECONDS)


class Listener(StreamServer):  # type: ignore[misc]
    """A listener that takes what waits in its queue before it closes.

    With SO_REUSEPORT the queue is this worker's alone: the kernel resets what is left in it, whoever else listens.
    """

    def close(self) -> None:
        """Stop listening; who had connected by then is answered."""
        if not self.closed:
            while (accepted := self.do_read()) is not None:
                self.do_handle(*accepted)
        super().close()


class Response(wsgi.Response):  # type: ignore[misc]
    """A response whose head is sent with the first piece of its body.

    PERF: gunicorn sends them in two system calls, which were a quarter of a hot request.
    """

    def __init__(self, req: Any, sock: Any, cfg: Any, *arguments: Any) -> None:
        super().__init__(req, _Joined(sock), cfg, *arguments)

    def write(self, arg: bytes) -> None:
        """Send a piece of the body; an empty one sends the head alone, as an application may wish."""
        super().write(arg)
        if not arg:
            self.sock.flush()

    def close(self) -> None:
        """Send what is left."""
        super().close()
        self.sock.flush()


class _Joined:
    """A socket that keeps the first thing sent, the head, until there is a second."""

    __slots__ = ("_head", "_sock")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._head: bytes | None = None

    def sendall(self, data: bytes) -> None:
        if self._head is None:
            self._head = data
        elif self._head and len(data) < MAX_JOINED:
            head, self._head = self._head, b""
            self._sock.sendall(head + data)
        else:
            self.flush()
            self._sock.sendall(data)

    def flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._sock.sendall(head)

    def sendfile(self, *arguments: Any, **keywords: Any) -> Any:
        self.flush()
        return self._sock.sendfile(*arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


_original_http_date = util.http_date


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return str(_original_http_date(second))


def _http_date(timestamp: float | None = None) -> str:
    """Return the time as HTTP writes it. PERF: gunicorn formats it for each answer, 5 µs."""
    return _date_of(int(time.time())) if timestamp is None else str(_original_http_date(timestamp))


class _Idle:
    """Notes that a connection's greenlet waits; gunicorn's own timeout goes on within."""

    def __init__(self, idle: set[gevent.Greenlet], timeout: Any) -> None:
        self._idle, self._timeout = idle, timeout

    def __enter__(self) -> None:
        self._idle.add(gevent.getcurrent())
        self._timeout.__enter__()

    def __exit__(self, *error: Any) -> Any:
        self._idle.discard(gevent.getcurrent())
        return self._timeout.__exit__(*error)
