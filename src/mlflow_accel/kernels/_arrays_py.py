"""The plain twin of ``_arrays_c``, and its specification: PostgreSQL's binary form of an array of one dimension.

Five 32-bit integers come first (dimensions, whether there are NULLs, the elements' type, how many there are, the first
one's number), then each element as its length and its bytes, NULL as the length -1; all of it big-endian.
"""

from __future__ import annotations

import struct

TEXT, INT8, INT4, FLOAT8, BOOL = 25, 20, 23, 701, 16
"""PostgreSQL's numbers of the types of elements."""


def _array(element_type: int, elements: list[bytes | None]) -> bytes:
    if not elements:
        return struct.pack("!iii", 0, 0, element_type)
    parts = [struct.pack("!iiiii", 1, None in elements, element_type, len(elements), 1)]
    for element in elements:
        parts.append(struct.pack("!i", -1) if element is None else struct.pack("!i", len(element)) + element)
    return b"".join(parts)


def texts(column: list[str | None]) -> bytes:
    """Return a ``text[]``; raises ``UnicodeEncodeError`` for a lone surrogate."""
    return _array(TEXT, [None if text is None else text.encode() for text in column])


def int64s(column: list[int | None]) -> bytes:
    """Return an ``int8[]``; raises ``OverflowError`` for what is not of 64 bits."""
    return _array(INT8, [None if number is None else number.to_bytes(8, "big", signed=True) for number in column])


def int32s(column: list[int | None]) -> bytes:
    """Return an ``int4[]``; raises ``OverflowError`` for what is not of 32 bits."""
    return _array(INT4, [None if number is None else number.to_bytes(4, "big", signed=True) for number in column])


def doubles(column: list[float | None]) -> bytes:
    """Return a ``float8[]``."""
    return _array(FLOAT8, [None if number is None else struct.pack("!d", number) for number in column])


def booleans(column: list[bool | None]) -> bytes:
    """Return a ``bool[]``."""
    return _array(BOOL, [None if flag is None else bytes((bool(flag),)) for flag in column])
