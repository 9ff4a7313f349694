"""The accelerated tracking store: sessions, group commit, writers."""

from mlflow_accel import _impl as _impl  # decides which form of ``columns`` is found, before it is looked for
