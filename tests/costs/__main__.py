"""Store what requests cost now: ``python -m tests.costs [NAME...]``, those that are stored unless told."""

from __future__ import annotations

import sys

from mlflow_accel import _impl
from tests.costs.measure import measured, store, stored
from tests.support.postgres import PostgresDatabases

if __name__ == "__main__":
    if _impl.implementation() != "compiled":
        sys.exit("The stored figures are those of the compiled package.")
    before = stored().costs
    databases = PostgresDatabases()
    try:
        now = measured(databases, sys.argv[1:] or list(before))
    finally:
        databases.close()
    for name, found in now.items():
        print(
            name,
            ", ".join(
                f"{cost} {before.get(name, {}).get(cost)} -> {number}" for cost, number in found.items()
            ),
        )
    store({**before, **now})
