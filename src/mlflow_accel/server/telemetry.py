"""Upstream's telemetry, across the fork: the arbiter notes that a server was started, its first worker sends it.

Upstream's client starts threads with its first record and fetches a configuration from the network. In the arbiter
that would hold up the start, and no thread may cross the fork.
"""

from __future__ import annotations

from typing import Any

from mlflow.telemetry import client as upstream
from mlflow.telemetry.events import TrackingServerStartEvent

_records: list[Any] = []


def hold() -> None:
    """Let this process keep its records to itself; what the server's start says is sent by the first worker."""
    if (client := upstream.get_telemetry_client()) is not None:
        client.activate = lambda: None


def put_away() -> None:
    """Take the record of the start; each worker gets a client of its own, which starts when it has something to say."""
    client = upstream.get_telemetry_client()
    if client is not None:
        # What else is there comes from requests that nobody made: see warmup.
        _records.extend(r for r in client._pending_records if r.event_name == TrackingServerStartEvent.name)
        upstream.set_telemetry_client()


def release() -> None:
    """Send what the arbiter noted; called in one worker."""
    client = upstream.get_telemetry_client()
    if client is not None and _records:
        client.add_records(_records)
