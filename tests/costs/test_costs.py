"""The guard: no hot request may cost more than what is stored, in statements, bytes and calls."""

from __future__ import annotations

import pytest

from benchmarks.workloads import WORKLOADS
from mlflow_accel import _impl
from tests.costs.measure import Costs, measured, python, stored
from tests.support.postgres import PostgresDatabases

CALLS = 1.15
"""Releases of the libraries differ by less; a query, a copy or a Flask hook more makes more."""
BYTES = 1.02


@pytest.fixture(scope="module")
def now(postgres_databases: PostgresDatabases) -> Costs:
    """What each request costs now."""
    return measured(postgres_databases, list(stored().costs))


def test_what_is_stored_is_of_workloads() -> None:
    assert stored().costs
    assert stored().costs.keys() <= WORKLOADS.keys()


@pytest.mark.parametrize("name", stored().costs)
def test_a_request_costs_no_more_than_stored(name: str, now: Costs) -> None:
    before, found = stored().costs[name], now[name]
    assert found["statements"] <= before["statements"]
    assert found["control"] <= before["control"]
    assert found["bytes"] <= before["bytes"] * BYTES
    if _impl.implementation() == "compiled" and python() == stored().python:
        assert found["calls"] <= before["calls"] * CALLS
