"""``metrics/get-history``, ``get-history-bulk`` and ``get-history-bulk-interval``: our answers are upstream's."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_accel.server import views
from tests.parity.in_process import Filled, ours, theirs
from tests.parity.read_rows import HISTORIES

EXAMPLES = 40 * int(os.environ.get("MLFLOW_ACCEL_TEST_LOAD", "1"))
HISTORY, BULK = views.ROUTES["_get_metric_history"], views.ROUTES["serve_get_metric_history_bulk"]
INTERVAL = views.ROUTES["get_metric_history_bulk_interval_handler"]


def check(route: Any, filled: Filled, query: dict[str, Any]) -> Any:
    """Return our answer, having compared it, point by point and in order; None where both refuse."""
    status, expected = theirs(route, "GET", query)
    found = ours(route, "GET", query, filled[0])
    if status != 200:
        assert isinstance(found, str), f"upstream says {expected}"
        return None
    if route is BULK and any(point["value"] != point["value"] for point in expected["metrics"]):
        assert found == "row", "what is not a number is printed by upstream, as no JSON can be"
        return None
    assert found == expected
    return found


@pytest.mark.parametrize("key", [*HISTORIES, "nothing"])
def test_whole_histories(filled: Filled, key: str) -> None:
    for run_id in filled[1][:4]:
        found = check(HISTORY, filled, {"run_id": run_id, "run_uuid": run_id, "metric_key": key})
        assert len(found.get("metrics", [])) == HISTORIES.get(key, 0)
        check(BULK, filled, {"run_id": filled[1][:4], "metric_key": key})


def test_pages_of_a_history(filled: Filled) -> None:
    for size in (1, 3, 11, 12, 50):
        query: dict[str, Any] = {"run_id": filled[1][0], "metric_key": "twelve", "max_results": size}
        points, token = 0, None
        while True:
            found = check(HISTORY, filled, query if token is None else {**query, "page_token": token})
            points += len(found["metrics"])
            token = found.get("next_page_token")
            if token is None:
                break
        assert points == HISTORIES["twelve"]


def test_a_history_longer_than_a_piece(filled: Filled) -> None:
    query = {"run_id": filled[1][0], "metric_key": "long"}
    check(HISTORY, filled, query)
    check(HISTORY, filled, {**query, "max_results": 5001})
    check(BULK, filled, {"run_id": filled[1][:3], "metric_key": "long", "max_results": 5003})


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    runs=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    key=st.sampled_from([*HISTORIES, "nothing"]),
    most=st.sampled_from([None, 1, 2, 3, 5, 7, 11, 12, 13, 100, 2500]),
    steps=st.sampled_from([None, (0, 3), (2, 2), (-5, 10**6), (3, 1)]),
)
def test_the_same_points_are_sampled(
    filled: Filled, runs: list[int], key: str, most: int | None, steps: tuple[int, int] | None
) -> None:
    query: dict[str, Any] = {"run_ids": [filled[1][i] for i in runs], "metric_key": key}
    if most is not None:
        query["max_results"] = most
    if steps is not None:
        if steps[0] < 0:
            # A negative step is a number that our query strings do not know.
            steps = (0, steps[1])
        query |= {"start_step": steps[0], "end_step": steps[1]}
    check(INTERVAL, filled, query)


@pytest.mark.parametrize(
    ("route", "query"),
    [
        (HISTORY, {"metric_key": "a"}),
        (HISTORY, {"run_id": "a"}),
        (HISTORY, {"run_id": "a", "metric_key": "a", "max_results": 0}),
        (HISTORY, {"run_id": "a", "metric_key": "a", "page_token": "!"}),
        (BULK, {"metric_key": "a"}),
        (BULK, {"run_id": "a"}),
        (BULK, {"run_id": ["a"] * 101, "metric_key": "a"}),
        (INTERVAL, {"run_ids": "a", "metric_key": "a", "max_results": 2501}),
        (INTERVAL, {"run_ids": "a", "metric_key": "a", "start_step": 1}),
        (INTERVAL, {"run_ids": ["a"] * 101, "metric_key": "a"}),
    ],
)
def test_what_upstream_refuses_is_declined(filled: Filled, route: Any, query: dict[str, Any]) -> None:
    assert check(route, filled, query) is None


def test_unknown_runs_have_no_points(filled: Filled) -> None:
    assert check(HISTORY, filled, {"run_id": "a", "metric_key": "a"}) == {}
    assert check(BULK, filled, {"run_id": "a", "metric_key": "a"}) == {"metrics": []}
    assert check(INTERVAL, filled, {"run_ids": "a", "metric_key": "a"}) == {}
