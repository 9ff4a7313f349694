"""Rows as JSON: the twins write the same, and it reads as what was put in."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_accel._impl import COMPILED
from mlflow_accel.kernels import _rows_py
from mlflow_accel.kernels.rows import Field, Kind, nested

TWINS: list[ModuleType] = [_rows_py]
if COMPILED:
    from mlflow_accel.kernels import _rows_c

    TWINS.append(_rows_c)

each = pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__.rsplit("_", 1)[1])

POINT = (Field("key", Kind.TEXT, 0), Field("value", Kind.DOUBLE, 1), Field("step", Kind.NONZERO, 2))
FIELDS = (
    *nested(
        "info",
        Field("id", Kind.TEXT, 0),
        Field("experiment", Kind.DIGITS, 1),
        Field("name", Kind.OPTIONAL, 2),
        Field("uri", Kind.FILLED, 3),
        Field("start", Kind.INTEGER, 4),
        Field("end", Kind.NONZERO, 5),
    ),
    *nested("data", Field("points", Kind.LIST, 6, POINT), Field("more", Kind.JSON, 9)),
    *nested("empty"),
    Field("id", Kind.TEXT, 0),
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats()
COLUMNS = st.lists(st.tuples(TEXTS, DOUBLES | st.none(), NUMBERS | st.none()), max_size=4).map(
    lambda rows: list(zip(*rows, strict=True)) if rows else [None] * 3
)
ROWS = st.builds(
    lambda *cells: (*cells[:6], *cells[6], cells[7]),
    TEXTS,
    NUMBERS,
    TEXTS | st.none(),
    TEXTS | st.none(),
    NUMBERS,
    NUMBERS | st.none(),
    COLUMNS,
    st.sampled_from([None, '{"a":1}', '{"a":1},{"b":"ü"}']),
)


def _cell(value: object) -> bytes | None:
    """Return a value in PostgreSQL's binary form."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    return struct.pack(">d" if isinstance(value, float) else ">q", value)


def _array(values: Sequence[object] | None) -> bytes | None:
    """Return a one-dimensional array in PostgreSQL's binary form."""
    if values is None:
        return None
    found = [struct.pack(">iiIii", 1, 1, 25, len(values), 1)]
    for value in values:
        cell = _cell(value)
        found.append(struct.pack(">i", -1) if cell is None else struct.pack(">i", len(cell)) + cell)
    return b"".join(found)


def _binary(row: Sequence[Any]) -> list[bytes | None]:
    return [*map(_cell, row[:6]), *map(_array, row[6:9]), _cell(row[9])]


def _expected(row: Sequence[Any]) -> dict[str, Any]:
    ident, experiment, name, uri, start, end, keys, values, steps, more = row
    points = [
        {"key": key, "value": _number(value)} | ({"step": step} if step else {})
        for key, value, step in zip(keys or (), values or (), steps or (), strict=True)
    ]
    return {
        "info": {"id": ident, "experiment": str(experiment)}
        | ({} if name is None else {"name": name})
        | ({"uri": uri} if uri else {})
        | {"start": start}
        | ({"end": end} if end else {}),
        "data": ({"points": points} if points else {}) | ({"more": json.loads(f"[{more}]")} if more else {}),
        "empty": {},
        "id": ident,
    }


def _number(value: float | None) -> float | str:
    if value is None or math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


@given(rows=st.lists(ROWS, max_size=3))
@example(rows=[("a", 0, None, None, 0, 0, [], [], [], None)])
def test_rows_read_as_what_was_put_in(rows: list[Sequence[Any]]) -> None:
    for twin in TWINS:
        shape = twin.Shape(FIELDS)
        for form in (rows, [_binary(row) for row in rows]):
            written = twin.objects(shape, form)
            found = json.loads(b"[" + written + b"]")
            assert found == [_expected(row) for row in rows]
            assert [list(item["info"]) for item in found] == [list(_expected(row)["info"]) for row in rows]
            assert written == TWINS[0].objects(TWINS[0].Shape(FIELDS), rows)


EXTREMES = [math.ldexp(1.0, exponent) for exponent in range(-1074, 1024)]
EXTREMES += [float(f"1e{exponent}") for exponent in range(-323, 309)]
EXTREMES += [
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    9007199254740993.0,
    1e15,
    1e16,
    123e-7,
    9.5e-5,
    0.0,
]


@each
def test_doubles_are_written_as_python_does(twin: ModuleType) -> None:
    shape = twin.Shape((Field("v", Kind.DOUBLE, 0),))
    for number in EXTREMES:
        for value in (number, -number, math.nextafter(number, math.inf), math.nextafter(number, 0.0)):
            if math.isfinite(value):
                assert twin.objects(shape, [(value,)]) == b'{"v":%s}' % repr(value).encode()


@given(bits=st.integers(0, 2**64 - 1))
def test_any_double_is_read_as_itself(bits: int) -> None:
    [value] = struct.unpack("d", struct.pack("Q", bits))
    for twin in TWINS:
        shape = twin.Shape((Field("v", Kind.DOUBLE, 0),))
        found = json.loads(twin.objects(shape, [(value,)]))["v"]
        assert found == _number(value)
        assert isinstance(found, str) or math.copysign(1, found) == math.copysign(1, value)


ONE: Callable[[Kind], tuple[Field, ...]] = lambda kind: (Field("v", kind, 0),)  # noqa: E731
LISTED = (Field("v", Kind.LIST, 0, (Field("a", Kind.TEXT, 0), Field("b", Kind.INTEGER, 1))),)


@each
@pytest.mark.parametrize(
    ("fields", "row"),
    [
        (ONE(Kind.TEXT), (None,)),
        (ONE(Kind.TEXT), (1,)),
        (ONE(Kind.TEXT), ("\ud800",)),
        (ONE(Kind.INTEGER), (None,)),
        (ONE(Kind.INTEGER), ("1",)),
        (ONE(Kind.INTEGER), (1.0,)),
        (ONE(Kind.INTEGER), (b"123",)),
        (ONE(Kind.DIGITS), (None,)),
        (ONE(Kind.JSON), (1,)),
        (ONE(Kind.DOUBLE), (b"1234",)),
        (LISTED, (["a"], [])),
        (LISTED, (["a"], [None])),
        (LISTED, (_array(["a"]), _array([1, 2]))),
        (LISTED, ((_array(["abc"]) or b"")[:-1], _array([1]))),
        (LISTED, (b"\0\0\0\2" + b"\0" * 30, _array([1]))),
    ],
)
def test_what_cannot_be_written_is_an_error(
    twin: ModuleType, fields: tuple[Field, ...], row: Sequence[Any]
) -> None:
    with pytest.raises(ValueError):
        twin.objects(twin.Shape(fields), [row])
