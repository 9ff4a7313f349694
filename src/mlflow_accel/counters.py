"""Counts of requests answered fast and requests declined, by endpoint and reason.

Each worker owns a row of 64-bit counters in a file of the server's runtime directory, mapped into memory, so that
counting costs an addition and anyone can read the sums of a running server.
"""

from __future__ import annotations

import mmap
from pathlib import Path

ENDPOINTS = ("log_metric", "log_batch")
"""The endpoints that have a fast path."""

OUTCOMES = (
    "fast",  # answered by the compiled path
    "body",  # a body that is not fully understood: unknown field, other type, odd number, bad JSON
    "key",  # a key, value or length outside what is known to be stored as it is
    "run",  # a run that is missing, deleted, or another workspace's
    "conflict",  # a parameter that was logged before with another value
    "database",  # the database refused the rows; upstream's method says why
    "headers",  # content type, encoding or workspace header out of the ordinary
    "store",  # the tracking store is not ours (a file store, a plugin's)
)
"""``fast``, or why a request was left to upstream's code. A decline is counted once, where it is decided."""

_INDEX = {(endpoint, outcome): i for i, (endpoint, outcome) in enumerate((e, o) for e in ENDPOINTS for o in OUTCOMES)}
_SIZE = 8 * len(_INDEX)

_cells: memoryview = memoryview(bytearray(_SIZE)).cast("Q")


def count(endpoint: str, outcome: str) -> None:
    """Add one to a counter of this process."""
    _cells[_INDEX[endpoint, outcome]] += 1


def attach(path: Path) -> None:
    """Keep this process's counters in ``path`` from now on, starting at zero."""
    global _cells
    with path.open("w+b") as file:
        file.truncate(_SIZE)
        _cells = memoryview(mmap.mmap(file.fileno(), _SIZE)).cast("Q")


def total(paths: list[Path]) -> dict[str, dict[str, int]]:
    """Return the sums over counter files: ``{endpoint: {outcome: requests}}``, zeros left out."""
    sums = dict.fromkeys(_INDEX, 0)
    for path in paths:
        content = path.read_bytes()
        if len(content) != _SIZE:  # a worker that is attaching just now
            continue
        cells = memoryview(content).cast("Q")
        for pair, i in _INDEX.items():
            sums[pair] += cells[i]
    return {e: {o: sums[e, o] for o in OUTCOMES if sums[e, o]} for e in ENDPOINTS}


def here() -> dict[str, dict[str, int]]:
    """Return this process's own counts, in the form of :func:`total`."""
    return {e: {o: n for o in OUTCOMES if (n := _cells[_INDEX[e, o]])} for e in ENDPOINTS}
