"""What both twins of ``rows`` share: how an object is described."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple


class Kind(IntEnum):
    """How a cell is written. ``None`` where it is not expected is a ``ValueError``."""

    TEXT = 0
    OPTIONAL = 1  # a text; None is left out
    FILLED = 2  # a text; None and "" are left out
    INTEGER = 3
    NONZERO = 4  # an integer; None and 0 are left out
    DIGITS = 5  # an integer, written as a text
    DOUBLE = 6  # None is NaN, which is written as a text, and so are the infinities
    FINITE = 7  # the same, where what is not a number is an error
    JSON = 8  # the objects of a list, already written; None is left out
    OBJECT = 9  # its fields follow, up to END
    END = 10
    LIST = 11  # objects whose cells are parallel columns; an empty list is left out


class Field(NamedTuple):
    """A member of an object, and the column of the row in which it is found."""

    name: str
    kind: Kind
    column: int = 0
    fields: tuple[Field, ...] = ()
    """Of a ``LIST``: its objects' members. Their columns count from ``column``."""


def nested(name: str, *fields: Field) -> tuple[Field, ...]:
    """Return the fields of an object within an object."""
    return (Field(name, Kind.OBJECT), *fields, Field("", Kind.END))


def length(column: Any) -> int:
    """Return how many elements a column has: a sequence, or PostgreSQL's array in binary form."""
    if type(column) is not bytes:
        return len(column)
    return int.from_bytes(column[12:16], "big") if any(column[:4]) else 0


def width(fields: tuple[Field, ...]) -> int:
    """Return how many columns ``fields`` take."""
    return max(field.column for field in fields) + 1
