"""What a route with a fast path is. Each module of this folder names its own, as ``ROUTES``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_accel import counters

Answer = bytes | Sequence[bytes]
"""The answer's body; a big one in bounded pieces."""

Handler = Callable[..., "Answer | None"]
"""Takes what was sent, the store, and the path's arguments by name. ``GET`` sends the query string, other methods the
body. None: the request is left to upstream's view, and nothing has been written."""


@dataclass(frozen=True)
class Route:
    """A Flask endpoint with a fast path."""

    name: str
    """What its requests are counted under."""
    endpoint: str
    """The key in Flask's ``app.view_functions``; it serves ``/api`` and ``/ajax-api``."""
    handlers: Mapping[str, Handler]
    """By HTTP method; a method that is not in here is upstream's."""

    def __post_init__(self) -> None:
        counters.declare(self.name)

    def ask(self, method: str, sent: bytes, store: Any, arguments: Mapping[str, str]) -> Answer | None:
        """Return the handler's answer, or None if it or the store (None: it is not ours) declines."""
        if store is None:
            counters.count(self.name, "store")
            return None
        return self.handlers[method](sent, store, **arguments)
