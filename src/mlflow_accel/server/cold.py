"""The cold worker: one process more, for the answers that take long, so that the other workers go on answering.

A search of 1000 runs is 0.7 s of upstream's code, in which a gevent worker answers nobody. Native threads are no help:
the locks of upstream's and SQLAlchemy's modules are gevent's, and lose wake-ups when a thread shares them. So the
arbiter runs one worker more than was asked for, forked from the same application, supervised, reloaded and drained
as all of them, which listens in the server's private directory and nowhere else. What may take long, and no fast path
has answered, is passed on to it before anything of upstream's has run, with the request as it came. Where there is no
such worker, or it has just died, the request is computed where it arrived: it only reads.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from flask import Flask

from mlflow_accel import counters
from mlflow_accel.server import forward, runtime, views

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_logger = logging.getLogger(__name__)

MANY = 100
"""Rows that an answer may have before it is passed on. A run costs upstream some 0.7 ms, a trace more: 70 ms and up.

The web interface asks for no more at a time, and is answered where it asks.
"""

LARGEST = 1_000_000
"""Bytes of a request's body that are looked at; a search is much smaller."""

HEADER = b"x-mlflow-accel-request"
"""Carries the request as it came. Only who may open the private socket is believed, and that is this server."""

HEADER_BYTES = 60_000

LONGEST_ADDRESS = 90
"""Bytes: what a Unix socket's address has room for, less the suffix of a new worker's."""

COUNTED = "cold_worker"

counters.declare(COUNTED)


class _Rows(msgspec.Struct):
    max_results: int | str | None = None


def _rows(default: int) -> Callable[[Environ, bytes], bool]:
    """Return whether a search, whose ``max_results`` is ``default`` where it names none, may have many rows."""

    def may_be_long(environ: Environ, body: bytes) -> bool:
        try:
            if environ["REQUEST_METHOD"] == "GET":
                asked: Any = parse_qs(environ["QUERY_STRING"]).get("max_results", [None])[-1]
            else:
                asked = msgspec.json.decode(body, type=_Rows).max_results
            return (default if asked is None else int(asked)) > MANY
        except (ValueError, msgspec.MsgspecError):
            return False  # refused, or taken for an empty search: no time either way

    return may_be_long


LONG: Mapping[str, Callable[[Environ, bytes], bool]] = {
    "_search_runs": _rows(default=1000),
    "_search_experiments": _rows(default=1000),
    "_search_logged_models": _rows(default=50),
    "_search_traces": _rows(default=100),
    "_search_traces_v3": _rows(default=100),
    "_search_registered_models": _rows(default=100),
    "_search_model_versions": _rows(default=10_000),
    "_get_metric_history": _rows(default=25_000),
    "serve_get_metric_history_bulk": _rows(default=25_000),
    "serve_get_metric_history_bulk_interval": _rows(default=2_500),
    "_graphql": lambda environ, body: b"mlflowSearchRuns" in body,
}
"""Flask endpoint to whether its answer may take long; reads only."""


class Edge:
    """A WSGI application in front of ``behind``, in every worker: passes on what may take long."""

    def __init__(self, app: Flask, behind: Application) -> None:
        self._behind = behind
        self._long = {
            (method, rule.rule): LONG[rule.endpoint]
            for rule in app.url_map.iter_rules()
            if rule.endpoint in LONG and not rule.arguments
            for method in {"GET", "POST"} & (rule.methods or set())
        }

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        may_be_long = self._long.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if may_be_long is None or _socket is None or _is_cold or views.ERROR in environ:
            return self._behind(environ, start_response)
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > LARGEST or "HTTP_TRANSFER_ENCODING" in environ:
            return self._behind(environ, start_response)
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(body)
        if len(body) == int(length) and may_be_long(environ, body):
            try:
                return self._pass_on(_socket, environ, start_response)
            except (forward.Unreachable, forward.Broken) as ex:
                _logger.debug("The cold worker did not answer: %s", ex)
                environ["wsgi.input"] = io.BytesIO(body)
        return self._behind(environ, start_response)

    def _pass_on(self, path: Path, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = json.dumps({k: v for k, v in environ.items() if isinstance(v, str) or k == views.DECLINED}).encode()
        if len(request) > HEADER_BYTES:
            raise forward.Unreachable("the request's headers are too long")
        own = {k: v for k, v in environ.items() if not k.startswith("HTTP_") or k == "HTTP_HOST"}
        counters.count(COUNTED, "passed_on")
        return forward.forward(path, own, start_response, lambda _: [(HEADER, request)])


class Door:
    """The application of the cold worker: takes up a request where another worker has left it."""

    def __init__(self, application: Any) -> None:
        self._application = application
        # Behind the fast lane, which has been asked already.
        self._behind = getattr(application, "behind", application)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = json.loads(environ["HTTP_X_MLFLOW_ACCEL_REQUEST"])
        for name in [name for name in environ if name.startswith("HTTP_")]:
            del environ[name]
        environ.update(request)
        application = self._behind if views.DECLINED in environ else self._application
        return application(environ, start_response)  # type: ignore[no-any-return]


_socket: Path | None = None
"""Where the cold worker listens; None where there is none."""

_is_cold = False
_generation = 0


def one_more(server: Any) -> None:
    """Let the arbiter run one worker more, for the cold one; called when it starts, and when it reloads."""
    global _generation, _socket
    path = runtime.directory(server.pid) / "cold.sock"
    if len(os.fsencode(path)) > LONGEST_ADDRESS:
        server.log.warning("No cold worker: %s is too long a name for a socket.", path)
        return
    if _socket is None:
        os.register_at_fork(after_in_child=lambda: _bind_nothing(server))
    _generation += 1
    _socket = path
    server.cfg.set("workers", server.cfg.workers + 1)
    server.num_workers += 1


def choose(server: Any, worker: Any) -> None:
    """Decide whether ``worker``, which is about to be forked, is the cold one: the first of its generation."""
    worker.generation = _generation
    worker.is_cold = (
        _socket is not None
        # The last one that is left serves the clients.
        and server.num_workers > 1
        and not any(w.is_cold and w.generation == _generation for w in server.WORKERS.values())
    )
    server.next_is_cold = worker.is_cold


def _bind_nothing(server: Any) -> None:
    """Keep gunicorn, in the cold worker's process, from listening where the others do: nobody would be answered."""
    if server.next_is_cold:
        server.cfg.set("reuse_port", False)


def listen(worker: Any) -> None:
    """Let ``worker``, in its own process, listen in the private directory alone."""
    global _is_cold
    from gunicorn.sock import UnixSocket

    assert _socket is not None
    _is_cold = True
    draft = _socket.with_suffix(f".{os.getpid()}")
    for inherited in worker.sockets:
        inherited.close()
    worker.sockets = [UnixSocket(str(draft), worker.cfg, worker.log)]
    # From here on who connects gets this one; one that is about to end answers what it has begun.
    draft.replace(_socket)
    _socket.with_suffix(".pid").write_text(str(os.getpid()))
