"""What ends a server's part in a workload; the others go on."""

from __future__ import annotations

from http.client import HTTPException

import sqlalchemy as sa

from benchmarks.client import UnexpectedAnswer
from benchmarks.load import LoadFailed
from benchmarks.servers import NotAvailable


class CheckFailed(RuntimeError):
    """A server answered or stored something else than it should."""


FAILURES = (
    NotAvailable,
    CheckFailed,
    LoadFailed,
    UnexpectedAnswer,
    OSError,
    HTTPException,
    # An answer that is not of the form that a check reads.
    LookupError,
    TypeError,
    ValueError,
    sa.exc.DBAPIError,
)


def reason(ex: BaseException) -> str:
    """Return the line of the report that says why a server has no figures, or no more of them."""
    words: dict[type[BaseException], str] = {NotAvailable: "not available", CheckFailed: "wrong"}
    text = " ".join(str(ex).split())
    return f"{words.get(type(ex), type(ex).__name__)}: {text[:300]}"
