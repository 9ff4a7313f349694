"""Rows of a result as JSON objects, in upstream's order of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_accel._impl import COMPILED
from mlflow_accel.kernels._rows_common import Field, Kind, length, nested, width

if TYPE_CHECKING or not COMPILED:
    from mlflow_accel.kernels._rows_py import Shape, columns, objects
else:
    from mlflow_accel.kernels._rows_c import Shape, columns, objects

__all__ = ["Field", "Kind", "Shape", "columns", "length", "nested", "objects", "width"]
