"""Make upstream's registry build the accelerated store for the databases that upstream's own store serves."""

from __future__ import annotations

from mlflow.server.handlers import TrackingStoreRegistryWrapper, _tracking_store_registry
from mlflow.store.db.db_types import DATABASE_ENGINES

from mlflow_accel.store.accelerated import build


def register() -> None:
    """Register the accelerated store, where no plugin has put a store of its own."""
    upstream = TrackingStoreRegistryWrapper._get_sqlalchemy_store
    for scheme in DATABASE_ENGINES:
        if _tracking_store_registry._registry.get(scheme) == upstream:
            _tracking_store_registry.register(scheme, build)
