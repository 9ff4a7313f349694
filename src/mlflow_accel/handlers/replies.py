"""How a write's outcome becomes an answer. Each request is counted once."""

from __future__ import annotations

from typing import Any

from mlflow_accel.counters import count


def stored(endpoint: str, write: Any, store: Any) -> bool:
    """Write, count the request, and return whether it was stored.

    ``write`` is None for what is not known to be stored as it is.
    """
    outcome = "key" if write is None else store.write(write)
    count(endpoint, outcome)
    return bool(outcome == "fast")
