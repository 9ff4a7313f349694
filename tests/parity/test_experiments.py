"""``experiments/get``, ``get-by-name`` and ``search``: on one database, our answers are upstream's."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_accel.server import views
from tests.parity.in_process import Filled, by_key, ours, theirs

EXAMPLES = 30 * int(os.environ.get("MLFLOW_ACCEL_TEST_LOAD", "1"))
GET, BY_NAME = views.ROUTES["_get_experiment"], views.ROUTES["_get_experiment_by_name"]
SEARCH = views.ROUTES["_search_experiments"]


def check(filled: Filled, method: str, sent: dict[str, Any]) -> Any:
    """Return our answer to a search, having compared it: where upstream answers, so do we, and alike."""
    status, expected = theirs(SEARCH, method, sent)
    found = ours(SEARCH, method, sent, filled[0])
    if status != 200:
        assert isinstance(found, str), f"upstream says {expected}"
        return None
    assert by_key(found) == by_key(expected)
    return found


def test_each_experiment(filled: Filled) -> None:
    for experiment_id in ("0", "1", "2", "3", "03"):
        status, expected = theirs(GET, "GET", {"experiment_id": experiment_id})
        assert status == 200
        assert by_key(ours(GET, "GET", {"experiment_id": experiment_id}, filled[0])) == by_key(expected)
        name = {"experiment_name": expected["experiment"]["name"]}
        assert by_key(ours(BY_NAME, "GET", name, filled[0])) == by_key(theirs(BY_NAME, "GET", name)[1])


@pytest.mark.parametrize(
    ("query", "reason"),
    [({"experiment_id": "99"}, "experiment"), ({"experiment_id": "x"}, "filter"), ({}, "query"), ({"experiment_id": ""}, "query")],
)  # fmt: skip
def test_an_odd_get_is_declined(filled: Filled, query: dict[str, str], reason: str) -> None:
    assert ours(GET, "GET", query, filled[0]) == reason
    assert theirs(GET, "GET", query)[0] != 200


def test_a_missing_name_is_declined(filled: Filled) -> None:
    assert ours(BY_NAME, "GET", {"experiment_name": "nobody's"}, filled[0]) == "experiment"


CLAUSES = st.one_of(
    st.builds(
        lambda key, op, value: f"{key} {op} '{value}'",
        st.sampled_from(["name", "attribute.name", "tags.team", "tag.`größe`", "nothing"]),
        st.sampled_from(["=", "!=", "LIKE", "ILIKE", "<"]),
        st.sampled_from(["experiment 1", "%1%", "Exp%", "a", ""]),
    ),
    st.builds(
        lambda key, op, value: f"{key} {op} {value}",
        st.sampled_from(["creation_time", "last_update_time"]),
        st.sampled_from(["=", ">", "<="]),
        st.sampled_from(["0", "1700000000001", "1.5"]),
    ),
    st.sampled_from(
        ["tags.team IS NULL", "tags.team IS NOT NULL", "experiment_id = '1'", "experiment_id IN ('1', '2')"]
    ),
)
SEARCHES = st.fixed_dictionaries(
    {"max_results": st.sampled_from([1, 2, 100, 50000])},
    optional={
        "filter": st.lists(CLAUSES, min_size=1, max_size=2).map(" AND ".join),
        "order_by": st.lists(
            st.builds(
                lambda key, way: key + way,
                st.sampled_from(["name", "creation_time", "last_update_time", "experiment_id", "nothing"]),
                st.sampled_from(["", " DESC", " ASC"]),
            ),
            max_size=2,
        ),
        "view_type": st.sampled_from(["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]),
    },
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(sent=SEARCHES, method=st.sampled_from(["GET", "POST"]))
def test_drawn_searches(filled: Filled, sent: dict[str, Any], method: str) -> None:
    found = check(filled, method, sent)
    if found and "next_page_token" in found:
        check(filled, method, {**sent, "page_token": found["next_page_token"]})


@pytest.mark.parametrize("sent", [{}, {"max_results": 0}, {"max_results": 1, "page_token": "!"}])
def test_what_upstream_refuses_is_declined(filled: Filled, sent: dict[str, Any]) -> None:
    assert check(filled, "POST", sent) is None
    assert check(filled, "GET", sent) is None
