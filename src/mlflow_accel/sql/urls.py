"""Database URLs: how they are shown, without what is secret in them, and which file a SQLite one names."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL

_HIDDEN = "***"
_SECRET = re.compile(r"pass|pwd|secret|token|odbc_connect", re.IGNORECASE)
"""Names of query parameters whose values are not shown; an ODBC connection string holds the password."""


def masked(url: URL) -> str:
    """Return ``url`` as text, with ``***`` for the password, also where a query parameter holds it."""
    hidden = {name: _HIDDEN for name in url.query if _SECRET.search(name)}
    text = url.update_query_dict(hidden).render_as_string(hide_password=True)
    return text.replace("%2A%2A%2A", _HIDDEN)


def without_secrets(url: URL) -> str:
    """Return ``url`` as text, without the password, as a client that asks for it takes it."""
    secret = [name for name in url.query if _SECRET.search(name)]
    return url._replace(password=None).difference_update_query(secret).render_as_string()


def secrets(url: URL) -> list[str]:
    """Return what :func:`masked` hides, longest first."""
    query = [url.query[name] for name in url.query if _SECRET.search(name)]
    values = [
        url.password or "",
        *(v for found in query for v in ([found] if isinstance(found, str) else found)),
    ]
    return sorted(filter(None, map(str, values)), key=len, reverse=True)


def sqlite_file(url: URL) -> Path | None:
    """Return the file that a SQLite ``url`` names, or None for a database in memory."""
    if url.database in (None, "", ":memory:"):
        return None
    assert url.database is not None
    path = url.database.removeprefix("file:").partition("?")[0]
    return None if path in ("", ":memory:") or url.query.get("mode") == "memory" else Path(path).absolute()
