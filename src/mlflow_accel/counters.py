"""Counts of requests answered fast and requests declined, by endpoint and reason.

Each worker owns a row of 64-bit counters in a file of the server's runtime directory, mapped into memory, so that
counting costs an addition and anyone can read the sums of a running server.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path

OUTCOMES = (
    "fast",  # answered by the compiled path
    "large",  # more than a worker computes beside its other requests
    "body",  # a body that is not fully understood: unknown field, other type, odd number, bad JSON
    "query",  # a query string that is not fully understood
    "key",  # a key, value or length outside what is known to be stored as it is
    "run",  # a run that is missing, deleted, another workspace's, or out of the ordinary
    "experiment",  # the same of an experiment
    "filter",  # a filter, an order or a page token that upstream's parsers do not take
    "row",  # a stored row that upstream does not print as it is
    "conflict",  # a parameter that was logged before with another value
    "database",  # the database refused the rows; upstream's method says why
    "headers",  # content type, encoding or workspace header out of the ordinary
    "store",  # the tracking store is not ours (a file store, a plugin's)
    "passed_on",  # asked of the cold worker
)
"""``fast``, or why a request was left to upstream's code. A decline is counted once, where it is decided."""

_COLUMN = {outcome: i for i, outcome in enumerate(OUTCOMES)}
_ROW_SIZE = 8 * len(OUTCOMES)

_rows: dict[str, memoryview] = {}
"""Per endpoint, its counters in the order of ``OUTCOMES``."""


def declare(endpoint: str) -> None:
    """Count requests of ``endpoint`` from now on; called before any worker attaches."""
    _rows.setdefault(endpoint, memoryview(bytearray(_ROW_SIZE)).cast("Q"))


def count(endpoint: str, outcome: str) -> None:
    """Add one to a counter of this process."""
    _rows[endpoint][_COLUMN[outcome]] += 1


def attach(path: Path) -> None:
    """Keep this process's counters in ``path`` from now on, starting at zero."""
    names = json.dumps(list(_rows)).encode() + b"\n"
    header = names.rjust(-len(names) // 8 * -8)
    path.write_bytes(header + bytes(_ROW_SIZE * len(_rows)))
    with path.open("r+b") as file:
        cells = memoryview(mmap.mmap(file.fileno(), 0))[len(header) :].cast("Q")
    for i, endpoint in enumerate(_rows):
        _rows[endpoint] = cells[i * len(OUTCOMES) : (i + 1) * len(OUTCOMES)]


def total(paths: list[Path]) -> dict[str, dict[str, int]]:
    """Return the sums over counter files: ``{endpoint: {outcome: requests}}``, zeros left out."""
    sums: dict[str, dict[str, int]] = {}
    for path in paths:
        header, newline, content = path.read_bytes().partition(b"\n")
        endpoints = json.loads(header) if newline else []
        if len(content) != _ROW_SIZE * len(endpoints):  # a worker that is attaching just now
            continue
        cells = iter(memoryview(content).cast("Q"))
        for endpoint in endpoints:
            found = sums.setdefault(endpoint, {})
            for outcome, number in zip(OUTCOMES, cells):
                if number:
                    found[outcome] = found.get(outcome, 0) + number
    return sums


def here() -> dict[str, dict[str, int]]:
    """Return this process's own counts, in the form of :func:`total`."""
    return {e: {o: n for o, n in zip(OUTCOMES, row, strict=True) if n} for e, row in _rows.items()}
