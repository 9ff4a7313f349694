"""What a server is: the facts that it writes down at start, for ``mlflow-accel status``."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from mlflow_accel import __version__, _impl, patching
from mlflow_accel.store import engines

DISTRIBUTIONS = ("mlflow", "SQLAlchemy", "gunicorn", "gevent")
"""Whose versions are told beside ours and Python's."""


def installation() -> dict[str, Any]:
    """Return the versions, how each module runs, and what became of each patch, in this process."""
    return {
        "versions": {
            "mlflow-accel": __version__,
            **{name: version(name) for name in DISTRIBUTIONS},
            "Python": platform.python_version(),
        },
        "modules": _impl.modules(),
        "patches": [dataclasses.asdict(patch) for patch in patching.report()],
    }


def facts(addresses: Sequence[Any], lane_objection: str | None) -> dict[str, Any]:
    """Return what is known of this server once its application is built.

    Args:
        addresses: where it listens: ``(host, port)``, or the path of a Unix socket.
        lane_objection: why there is no fast lane; None: there is one.
    """
    from mlflow.server import handlers

    stores = {"tracking": handlers._tracking_store, "registry": handlers._model_registry_store}
    return {
        **installation(),
        "addresses": list(addresses),
        "fast_lane": {"on": lane_objection is None, "reason": lane_objection or ""},
        "stores": {name: _store(store) for name, store in stores.items() if store is not None},
    }


def _store(store: Any) -> dict[str, Any]:
    engine = getattr(store, "engine", None)
    return {"class": type(store).__name__, **(engines.describe(engine) if engine is not None else {})}
