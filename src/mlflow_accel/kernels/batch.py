"""One client's write as columns, and the newest metric of each run and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_accel._impl import COMPILED
from mlflow_accel.kernels._batch_common import Batch

if TYPE_CHECKING or not COMPILED:
    from mlflow_accel.kernels._batch_py import columns, newest
else:
    from mlflow_accel.kernels._batch_c import columns, newest

__all__ = ["Batch", "columns", "newest"]
