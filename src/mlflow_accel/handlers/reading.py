"""How a read is answered and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlflow_accel.counters import count
from mlflow_accel.handlers.routes import Answer


def declined(endpoint: str, reason: str) -> Answer | None:
    """Count a request that is left to upstream's view."""
    count(endpoint, reason)
    return None


def read(endpoint: str, store: Any, ask: Callable[[Any], Answer | str]) -> Answer | None:
    """Return what ``ask`` answers with the reads of the store; it answers with a text where it declines."""
    found = "store" if store.reads is None else ask(store.reads)
    if isinstance(found, str):
        return declined(endpoint, found)
    count(endpoint, "fast")
    return found
