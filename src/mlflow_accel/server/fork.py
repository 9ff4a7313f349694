"""What has to be put away before workers are forked: threads, connections, and memory that the collector would touch."""

from __future__ import annotations

import ctypes
import gc
import linecache
from typing import Any

import gevent
import greenlet

from mlflow_accel.errors import AccelError
from mlflow_accel.store import engines

TELEMETRY_SECONDS = 1.0
"""How long upstream's telemetry may take to send the server's start, before its threads are ended."""


def put_away() -> None:
    """End upstream's telemetry, close every connection, and freeze what is loaded. Called once, before any fork."""
    _end_telemetry()
    engines.close_connections()
    others = _others()
    gevent.killall([g for g in others if isinstance(g, gevent.Greenlet)], timeout=TELEMETRY_SECONDS)
    _refuse([g for g in others if not g.dead])
    # The source files in which fingerprints were taken, line by line.
    linecache.clearcache()
    _give_back()
    # PERF: no later pass of the collector writes to, and so copies, the pages that the workers share. A pass before
    # this would take 0.25 s, and made no difference to the memory of the process tree.
    gc.freeze()
    gc.enable()


def _give_back() -> None:
    """Return what was freed to the system, where the C library can be told to (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def assert_alone() -> None:
    """Check that no greenlet but this one is alive (gevent's hub apart): a fork would give each worker a copy.

    Raises:
        AccelError: there are others; the message names what they run.
    """
    _refuse(_others())


def _refuse(others: list[Any]) -> None:
    if others:
        raise AccelError(f"{len(others)} greenlets would live on in every worker: {others!r}")


def _others() -> list[Any]:
    """Return the live greenlets, without this one, gevent's hub, and other threads' own (those have no parent)."""
    kept = (greenlet.getcurrent(), gevent.get_hub())
    found = [g for g in gc.get_objects() if isinstance(g, greenlet.greenlet)]
    return [g for g in found if g not in kept and g.parent is not None and g.gr_frame is not None and not g.dead]


def _end_telemetry() -> None:
    from mlflow.telemetry import client as telemetry

    # The client drops itself where telemetry cannot be sent. What is left of its threads is killed with the others.
    if (client := telemetry.get_telemetry_client()) is not None and client.is_active:
        client._config_thread.join(TELEMETRY_SECONDS)
        client._at_exit_callback()
        # Each worker starts its own when it has something to report.
        telemetry.set_telemetry_client()
