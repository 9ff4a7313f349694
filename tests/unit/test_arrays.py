"""PostgreSQL's arrays: both twins write the same bytes, and PostgreSQL reads what was meant."""

from __future__ import annotations

import importlib
import math
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_accel import _impl
from mlflow_accel.kernels import _arrays_py
from mlflow_accel.sql import postgresql_arrays
from tests.support.postgres import PostgresDatabases

NONE = st.none()
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "texts": st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | NONE,
    "int64s": st.integers(-(2**63), 2**63 - 1) | NONE,
    "int32s": st.integers(-(2**31), 2**31 - 1) | NONE,
    "doubles": st.floats() | NONE,
    "booleans": st.booleans() | NONE,
}
TYPES = {"texts": "text", "int64s": "int8", "int32s": "int4", "doubles": "float8", "booleans": "bool"}


@pytest.mark.parametrize("name", COLUMNS)
def test_both_twins_write_the_same(name: str) -> None:
    if not _impl.COMPILED:
        pytest.skip("the compiled twin does not run here")
    compiled = importlib.import_module("mlflow_accel.kernels._arrays_c")

    @settings(max_examples=100, deadline=None)
    @given(st.lists(COLUMNS[name], max_size=5))
    def same(column: list[Any]) -> None:
        assert getattr(compiled, name)(column) == getattr(_arrays_py, name)(column)

    same()


@pytest.mark.parametrize(("name", "item"), [("int64s", 2**63), ("int32s", 2**31), ("texts", "\ud800")])
def test_what_does_not_fit_is_refused(name: str, item: object) -> None:
    from mlflow_accel.kernels import arrays

    with pytest.raises((OverflowError, UnicodeEncodeError)):
        getattr(arrays, name)([item])


def test_postgresql_reads_them(postgres_databases: PostgresDatabases) -> None:
    columns: dict[str, list[Any]] = {
        "texts": ["", "a", "größe\U0001f600", None],
        "int64s": [-(2**63), 0, 2**63 - 1, None],
        "int32s": [-(2**31), 0, 2**31 - 1, None],
        "doubles": [-0.0, 5e-324, math.inf, None],
        "booleans": [True, False, True, None],
    }
    uri = postgres_databases.fresh()
    with psycopg.connect(uri) as connection:
        postgresql_arrays.prepare(connection)
        statement = "SELECT " + ", ".join(f"%s::{TYPES[name]}[]" for name in columns)
        for sent in (list(columns.values()), [[] for _ in columns]):
            found = connection.execute(statement, postgresql_arrays.packed(statement, sent)).fetchone()
            assert repr(list(found or ())) == repr(sent)
