"""Rows of a result as JSON objects. This is the specification; ``_rows_c`` is the same, compiled."""

from __future__ import annotations

import itertools
import json
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from mlflow_accel.kernels._rows_common import Field, Kind, width

NULL = -1
"""The length of a NULL in PostgreSQL's binary form."""


class Shape:
    """A description of objects, made ready once."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.lists = {f.column: Shape(f.fields) for f in fields if f.kind is Kind.LIST}
        self.width = width(fields)


def objects(shape: Shape, rows: Iterable[Sequence[Any]]) -> bytes:
    """Return the objects of ``rows``, joined by commas, as UTF-8.

    A cell is Python's value, or bytes in PostgreSQL's binary form. The columns of a list within a row are sequences of
    the same length, or PostgreSQL's arrays, or None.

    Raises:
        ValueError: a None, a type or a text that cannot be written.
    """
    return ",".join([_object(shape, row) for row in rows]).encode()


def columns(shape: Shape, cells: Sequence[Any], most: int = -1) -> bytes:
    """Return the objects whose members are found in parallel columns, joined by commas, as UTF-8.

    A column is a sequence, or PostgreSQL's array in binary form, or a text that is the same for every object. ``most``
    is how many are written at most, if it is not negative.

    Raises:
        ValueError: as of :func:`objects`, or the columns differ in length.
    """
    items = [_elements(cell) if type(cell) is bytes else cell for cell in cells]
    [size] = {len(item) for item in items if type(item) is not str}
    every = [itertools.repeat(item, size) if type(item) is str else item for item in items]
    rows = zip(*every, strict=True)
    return ",".join([_object(shape, row) for row in (rows if most < 0 else itertools.islice(rows, most))]).encode()


def _object(shape: Shape, row: Sequence[Any]) -> str:
    opened = ["{"]
    bare = True
    for name, kind, column, _ in shape.fields:
        if kind is Kind.END:
            opened.append("}")
            bare = False
            continue
        text: str | None = "{"
        if kind is Kind.LIST:
            text = _list(shape.lists[column], row[column : column + shape.lists[column].width])
        elif kind is not Kind.OBJECT:
            text = _value(kind, _decoded(kind, row[column]))
        if text is None:
            continue
        opened.append(f'{"" if bare else ","}"{name}":{text}')
        bare = kind is Kind.OBJECT
    opened.append("}")
    return "".join(opened)


def _list(shape: Shape, columns: Sequence[Any]) -> str | None:
    if columns[0] is None:
        return None
    if type(columns[0]) is bytes:
        columns = [_elements(column) for column in columns]
    items = [_object(shape, row) for row in zip(*columns, strict=True)]
    return f"[{','.join(items)}]" if items else None


def _value(kind: Kind, value: Any) -> str | None:
    if kind is Kind.FINITE and (value is None or not math.isfinite(value)):
        raise ValueError("a finite number is expected")
    if value is None:
        if kind is Kind.DOUBLE:
            return '"NaN"'
        if kind in (Kind.OPTIONAL, Kind.FILLED, Kind.NONZERO, Kind.JSON):
            return None
        raise ValueError("a value is missing")
    if kind in (Kind.DOUBLE, Kind.FINITE):
        return _double(float(value))
    if kind in (Kind.TEXT, Kind.OPTIONAL, Kind.FILLED, Kind.JSON):
        if type(value) is not str:
            raise ValueError("a text is expected")
        if kind is Kind.JSON:
            return f"[{value}]"
        return json.dumps(value, ensure_ascii=False) if value or kind is not Kind.FILLED else None
    if type(value) is not int:
        raise ValueError("an integer is expected")
    if kind is Kind.DIGITS:
        return f'"{value}"'
    return str(value) if value or kind is not Kind.NONZERO else None


def _double(value: float) -> str:
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    return repr(value)


def _decoded(kind: Kind, cell: Any) -> Any:
    """Return the value of a cell, which may be in PostgreSQL's binary form."""
    if type(cell) is not bytes:
        return cell
    if kind in (Kind.DOUBLE, Kind.FINITE):
        if len(cell) != 8:
            raise ValueError("a double is expected")
        return struct.unpack(">d", cell)[0]
    if kind in (Kind.TEXT, Kind.OPTIONAL, Kind.FILLED, Kind.JSON):
        return cell.decode()
    if len(cell) not in (2, 4, 8):
        raise ValueError("an integer is expected")
    return int.from_bytes(cell, "big", signed=True)


def _elements(array: bytes) -> list[bytes | None]:
    """Return the elements of a one-dimensional array in PostgreSQL's binary form."""
    dimensions = int.from_bytes(array[:4], "big")
    if dimensions == 0:
        return []
    if dimensions != 1:
        raise ValueError("an array of one dimension is expected")
    found: list[bytes | None] = []
    at = 20
    for _ in range(int.from_bytes(array[12:16], "big")):
        size = int.from_bytes(array[at : at + 4], "big", signed=True)
        at += 4
        if size == NULL:
            found.append(None)
            continue
        if at + size > len(array):
            raise ValueError("an array is cut off")
        found.append(array[at : at + size])
        at += size
    return found
