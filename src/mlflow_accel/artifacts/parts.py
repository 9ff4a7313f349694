"""Uploads in parts: the next ones are read while the last ones are on their way."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mlflow_accel.artifacts.model import Source

T = TypeVar("T")

SIZE = 8 * 2**20
"""Bytes of a part, as boto3 sends them; a shorter upload is one request."""

AHEAD = 2
"""Parts on their way at a time. With one, store and client wait for each other; more only take memory."""

GROWTH = 1500
"""Parts after which they become twice as large: S3 takes 10,000 of them, and up to 12 GB they stay small."""


def split(source: Source) -> tuple[bytearray | None, Iterator[bytearray]]:
    """Return an upload that is shorter than a part, whole; of any other, None and its parts."""
    first = [_part(source, SIZE)]
    return (first.pop(), iter(())) if len(first[0]) < SIZE else (None, _parts(first, source))


def _parts(first: list[bytearray], source: Source) -> Iterator[bytearray]:
    # Nothing here keeps a part that was handed out: each is the memory of a whole request.
    yield first.pop()
    for number in itertools.count(1):
        size = SIZE << number // GROWTH
        part = _part(source, size)
        last = len(part) < size
        if part:
            yield part
        del part
        if last:
            return


def _part(source: Source, size: int) -> bytearray:
    part = bytearray(size)
    with memoryview(part) as buffer:
        taken = source.readinto(buffer)
    del part[taken:]
    return part


def send(parts: Iterator[bytearray], send_one: Callable[[int, bytearray], T]) -> list[T]:
    """Call ``send_one(number, part)`` for each part, numbered from 1; return what it returned, in order.

    Raises:
        Exception: what the source or ``send_one`` raised; nothing is on its way any more.
    """
    sent: list[T] = []
    under_way: deque[Future[T]] = deque()
    # Threads, or greenlets where gevent has patched them.
    with ThreadPoolExecutor(AHEAD) as pool:
        for part in parts:
            if len(under_way) == AHEAD:
                sent.append(under_way.popleft().result())
            under_way.append(pool.submit(send_one, len(sent) + len(under_way) + 1, part))
            del part
        sent += [each.result() for each in under_way]
    return sent
