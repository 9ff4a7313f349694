"""What an artifact is to who sends it, and what an upload is to who stores it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

SLICE = 2**20
"""Bytes that are passed on at a time."""


class Source(Protocol):
    """The bytes of an upload."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer``, and return how many bytes it took: fewer than it has only at the end.

        Raises:
            Exception: the upload broke off.
        """


class Slices(Iterator[bytes]):
    """Bytes as they come from a store, to be closed by who asked for them."""

    def __init__(self, read: Callable[[int], bytes], length: int, close: Callable[[], object]) -> None:
        """``read`` takes the number of bytes that are left, and returns some of them."""
        self._read, self._left, self.close = read, length, close

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        data = self._read(self._left)
        if not data:
            raise EOFError(f"the artifact ended {self._left} bytes early")
        self._left -= len(data)
        return data


@dataclass(frozen=True)
class Artifact:
    """One stored object, as it was when it was found."""

    size: int
    modified: float
    """Seconds since the epoch."""
    etag: str | None
    """The store's own, without quotes; None: made of size and time."""
    read: Callable[[int, int], Slices]
    """Returns the bytes from the first position to before the second; raises if the object is another by now."""
