"""Bytes in, bytes out: one module per REST resource. A handler knows no Flask and no database."""

# Before any module here, so that MLFLOW_ACCEL_IMPL=python is heard whichever is imported first.
from mlflow_accel import _impl as _impl
