"""``POST runs/log-metric`` and ``POST runs/log-batch``.

A handler takes the body and a store, and returns the answer's body, or None for a request that it leaves to
upstream's view; nothing has been written then. ``store.write(batch)`` returns ``"fast"`` after the commit, or the
reason for which it declined. Each request is counted once.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.json import Decoder

from mlflow_accel.counters import count
from mlflow_accel.handlers.bodies import LogBatch, LogMetric, run_id_of
from mlflow_accel.handlers.replies import stored
from mlflow_accel.handlers.routes import Route
from mlflow_accel.kernels.batch import columns

_decode_metric: Final[Any] = Decoder(LogMetric).decode
_decode_batch: Final[Any] = Decoder(LogBatch).decode


def log_metric(body: bytes, store: Any) -> bytes | None:
    """Log one metric."""
    try:
        metric = _decode_metric(body)
    except ValueError:  # msgspec's errors, and UnicodeDecodeError
        count("log_metric", "body")
        return None
    run_id = metric.run_id = run_id_of(metric)
    if run_id is None:
        count("log_metric", "body")
        return None
    return b"{}" if stored("log_metric", columns(run_id, [metric], [], []), store) else None


def log_batch(body: bytes, store: Any) -> bytes | None:
    """Log metrics, params and tags of one run."""
    try:
        batch = _decode_batch(body)
    except ValueError:
        count("log_batch", "body")
        return None
    write = columns(batch.run_id, batch.metrics, batch.params, batch.tags)
    return b"{}" if stored("log_batch", write, store) else None


ROUTES = (
    Route("log_metric", "_log_metric", {"POST": log_metric}),
    Route("log_batch", "_log_batch", {"POST": log_batch}),
)
