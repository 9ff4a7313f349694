"""The query strings that are understood."""

from __future__ import annotations

from urllib.parse import parse_qsl


class Query:
    """The arguments of a query string, as upstream sees them: of a text that is there twice, the first counts."""

    def __init__(self, raw: bytes) -> None:
        self._lists: dict[str, list[str]] = {}
        for name, value in parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict"):
            self._lists.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """Return a text; "" where it is missing."""
        values = self._lists.get(name)
        return values[0] if values else ""

    def texts(self, name: str) -> list[str]:
        """Return every value of ``name``."""
        return self._lists.get(name, [])

    def number(self, name: str) -> int | None:
        """Return a number of 31 bits that is not negative, or None where it is missing.

        Raises:
            ValueError: it is another number, or none.
        """
        if name not in self._lists:
            return None
        value = self.text(name)
        if not (value.isascii() and value.isdecimal() and len(value) < 10):
            raise ValueError("not a plain number")
        return int(value)

    def run_id(self) -> str:
        """Return the run, which has two names.

        Raises:
            ValueError: they differ, or there is none.
        """
        new, old = self.text("run_id"), self.text("run_uuid")
        if not (new or old) or (new and old and new != old):
            raise ValueError("no run")
        return new or old
