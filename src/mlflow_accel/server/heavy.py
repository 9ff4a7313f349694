"""Reads that upstream computes for seconds run in a native thread, one at a time per worker.

In a greenlet such a read would stop every other request of the worker: a runs/search of 1000 runs is some 5 s of
Python. In a thread it shares the interpreter with them.
"""

from __future__ import annotations

import contextvars
import functools
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask, request
from gevent import monkey
from gevent.threadpool import ThreadPool

from mlflow_accel.sql.sqlite_threads import caught

ENDPOINTS = (
    "_search_runs",
    "_search_experiments",
    "_get_metric_history",
    "get_metric_history_bulk_interval_handler",
    "serve_get_metric_history_bulk",
    "serve_get_metric_history_bulk_interval",
    "_graphql",
    "_search_logged_models",
    "_search_registered_models",
    "_search_model_versions",
    "_search_traces_v3",
    "_deprecated_search_traces_v2",
    "_batch_get_traces",
    "_batch_get_trace_infos",
    "_query_trace_metrics",
)
"""Flask endpoints whose answers grow with the database."""

SWITCH_SECONDS = 0.0005
"""How long the thread keeps the interpreter while a request waits for it; Python's own figure is 5 ms."""


class HeavyLane:
    """The thread of one worker; others that want it wait cooperatively."""

    def __init__(self) -> None:
        self._pool: ThreadPool | None = None

    def __call__(self, function: Callable[[], Any]) -> Any:
        """Return ``function()``, called in the thread with this request's context."""
        if self._pool is None:
            # Made by the first request: a thread would not survive the fork.
            self._pool = ThreadPool(1)
            sys.setswitchinterval(SWITCH_SECONDS)
        result, error = self._pool.apply(contextvars.copy_context().run, (caught, function, ()))
        if error is not None:
            raise error
        return result


def install(app: Flask) -> None:
    """Put the views of ``ENDPOINTS`` into the heavy lane, where workers are gevent's."""
    if not monkey.is_module_patched("threading"):
        return
    lane = HeavyLane()
    for endpoint in ENDPOINTS:
        app.view_functions[endpoint] = _in_lane(lane, app.view_functions[endpoint])


def _in_lane(lane: HeavyLane, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def view(**arguments: Any) -> Any:
        request.get_data()  # kept by the request: the thread cannot wait for a socket of this one
        return lane(functools.partial(original, **arguments))

    return view
