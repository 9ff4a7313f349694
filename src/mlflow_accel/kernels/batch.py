"""One client's write as columns, and the newest metric of each run and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_accel._impl import COMPILED
from mlflow_accel.kernels._batch_common import MAX_KEY, MAX_TAG_VALUE, MAX_TAGS, RUN_NAME_TAG, Batch, rows_of

if TYPE_CHECKING or not COMPILED:
    from mlflow_accel.kernels._batch_py import columns, int64, is_run_id, is_text, newest, plain_pairs
else:
    from mlflow_accel.kernels._batch_c import columns, int64, is_run_id, is_text, newest, plain_pairs

__all__ = ["MAX_KEY", "MAX_TAGS", "MAX_TAG_VALUE", "RUN_NAME_TAG", "Batch", "columns", "int64", "is_run_id", "is_text", "newest", "plain_pairs", "rows_of"]
