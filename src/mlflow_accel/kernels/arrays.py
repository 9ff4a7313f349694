"""Columns as PostgreSQL's arrays, in its binary form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_accel._impl import COMPILED

if TYPE_CHECKING or not COMPILED:
    from mlflow_accel.kernels._arrays_py import booleans, doubles, int32s, int64s, texts
else:
    from mlflow_accel.kernels._arrays_c import booleans, doubles, int32s, int64s, texts

__all__ = ["booleans", "doubles", "int32s", "int64s", "texts"]
