"""gunicorn's gevent worker, which also ends connections that wait for a request when it is told to stop."""

from __future__ import annotations

from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

CLOSE_SECONDS = 1.0
"""How often connections without a request are looked for while the worker stops."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Upstream's server closes idle connections when it stops; gunicorn waits for them as for requests, for 30 s."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._idle: set[gevent.Greenlet] = set()

    def timeout_ctx(self) -> Any:
        """Return the context in which a connection waits for its next request."""
        return _Idle(self._idle, super().timeout_ctx())

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop: requests are answered, connections without one are closed."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._close_idle)

    def _close_idle(self) -> None:
        # Again and again: up to a second goes by until gunicorn stops listening, and whoever connects meanwhile and
        # asks for nothing would be waited for, too.
        while True:
            for connection in list(self._idle):
                # What gunicorn itself raises where a connection is to be closed without an error.
                gevent.kill(connection, StopIteration)
            gevent.sleep(CLOSE_SECONDS)


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
