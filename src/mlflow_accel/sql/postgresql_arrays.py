"""Columns, bound as arrays in PostgreSQL's binary form.

PERF: psycopg writes an array element by element, in Python: for a batch of 1000 metrics that was most of the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from psycopg.adapt import Dumper
from psycopg.pq import Format

from mlflow_accel.kernels import arrays


class _Array:
    """An array, packed."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: _Array) -> bytes:
        return obj.data


def _kind(name: str, oid: int) -> tuple[type[_Array], type[_ArrayDumper]]:
    """Return a class of its own for arrays of one type, and how psycopg sends it."""
    return type(name, (_Array,), {"__slots__": ()}), type(f"{name}Dumper", (_ArrayDumper,), {"oid": oid})


_KINDS: dict[str, tuple[type[_Array], type[_ArrayDumper], Callable[[list[Any]], bytes]]] = {
    "text": (*_kind("TextArray", 1009), arrays.texts),
    "int8": (*_kind("Int8Array", 1016), arrays.int64s),
    "int4": (*_kind("Int4Array", 1007), arrays.int32s),
    "float8": (*_kind("Float8Array", 1022), arrays.doubles),
    "bool": (*_kind("BoolArray", 1000), arrays.booleans),
}
"""By PostgreSQL's name of the element type: the class, its dumper with the array type's number, and what packs it."""


def prepare(connection: Any) -> None:
    """Tell a connection of the arrays; one that does not send texts in UTF-8 is left as it is."""
    connection.mlflow_accel_packs = connection.pgconn.parameter_status(b"client_encoding") == b"UTF8"
    for kind, dumper, _ in _KINDS.values():
        connection.adapters.register_dumper(kind, dumper)


@cache
def _of(statement: str) -> tuple[tuple[type[_Array], Callable[[list[Any]], bytes]], ...]:
    kinds = (_KINDS[name] for name in re.findall(r"%s::(\w+)\[\]", statement))
    return tuple((kind, pack) for kind, _, pack in kinds)


def packed(statement: str, columns: Sequence[list[Any]]) -> list[_Array]:
    """Return ``columns`` as parameters of ``statement``, in which each is written ``%s::type[]``."""
    return [kind(pack(column)) for (kind, pack), column in zip(_of(statement), columns, strict=True)]
