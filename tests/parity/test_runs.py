"""``runs/get`` and ``runs/search``: on one database, our answers are upstream's."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_accel.server import views
from mlflow_accel.store.accelerated import AcceleratedStore
from mlflow_accel.store.reader import Reader
from tests.parity.in_process import Filled, by_key, ours, theirs
from tests.parity.read_rows import KEYS, NOW, TEXTS

EXAMPLES = 40 * int(os.environ.get("MLFLOW_ACCEL_TEST_LOAD", "1"))
GET, SEARCH = views.ROUTES["_get_run"], views.ROUTES["_search_runs"]


class Counted:
    """A cursor that notes what it is asked to execute."""

    def __init__(self, cursor: Any, statements: list[str]) -> None:
        self._cursor, self._statements = cursor, statements

    def execute(self, statement: str, *arguments: Any) -> Any:
        self._statements.append(statement)
        return self._cursor.execute(statement, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def search(store: AcceleratedStore, body: dict[str, Any]) -> Any:
    """Return our answer to a search, having compared it: where upstream answers, so do we, and alike."""
    status, expected = theirs(SEARCH, "POST", body)
    found = ours(SEARCH, "POST", body, store)
    if status != 200:
        assert isinstance(found, str), f"upstream says {expected}"
        return None
    assert by_key(found) == by_key(expected)
    return found


def test_every_run(filled: Filled) -> None:
    store, ids = filled
    for run_id in ids:
        status, expected = theirs(GET, "GET", {"run_id": run_id, "run_uuid": run_id})
        assert status == 200
        assert by_key(ours(GET, "GET", {"run_id": run_id, "run_uuid": run_id}, store)) == by_key(expected)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"run_id": "0" * 32}, "run"),
        ({"run_id": ""}, "query"),
        ({}, "query"),
        ({"run_id": "a", "run_uuid": "b"}, "query"),
        ({"run_id": "ü"}, "run"),
    ],
)
def test_an_odd_get_is_declined(filled: Filled, query: dict[str, str], reason: str) -> None:
    assert ours(GET, "GET", query, filled[0]) == reason


def test_an_id_that_no_text_can_be_is_declined(filled: Filled) -> None:
    assert ours(GET, "GET", {"run_id": "a\0"}, filled[0]) == (
        "run" if filled[0].engine.dialect.name == "sqlite" else "database"
    )


def test_statements_are_few(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    store, ids = filled
    statements: list[str] = []
    read = Reader.read
    monkeypatch.setattr(
        Reader, "read", lambda self, work: read(self, lambda cursor: work(Counted(cursor, statements)))
    )
    assert "run" in ours(GET, "GET", {"run_id": ids[0]}, store)
    one = store.engine.dialect.name == "postgresql"
    assert len(statements) == (1 if one else 5)
    statements.clear()
    search(store, {"experiment_ids": ["1", "2"], "filter": "metrics.loss > 0", "order_by": ["params.lr"]})
    assert len(statements) == (1 if one else 5)


def test_pages_of_every_view(filled: Filled) -> None:
    store, ids = filled
    found = []
    for view in ("ACTIVE_ONLY", "DELETED_ONLY"):
        token = None
        while True:
            body = {
                "experiment_ids": ["1", "2", "3"],
                "run_view_type": view,
                "max_results": 7,
                "page_token": token,
            }
            page = search(store, {name: value for name, value in body.items() if value is not None})
            found += [run["info"]["run_id"] for run in page["runs"]]
            token = page.get("next_page_token")
            if token is None:
                break
    assert sorted(found) == sorted(ids)
    whole = search(store, {"experiment_ids": ["1", "2", "3"], "run_view_type": "ALL"})
    assert len(whole["runs"]) == len(ids) and "next_page_token" not in whole


TEXT = st.sampled_from(["a", "größer", "%a%", "x%", "", "NaN", "_", "A", "tab\tline\nreturn\r", "run 1%"])
NAME = st.sampled_from([*KEYS, "nothing"])
COMPARED = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
LIKE = st.sampled_from(["=", "!=", "LIKE", "ILIKE", "like", "RLIKE"])
NUMBER = st.sampled_from(
    ["0", "0.1", "-1", "1e16", "1.7976931348623157e308", "1e999", "12345678901234567890"]
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "") + "'"


CLAUSES = st.one_of(
    st.builds(lambda key, op, value: f"metrics.`{key}` {op} {value}", NAME, COMPARED, NUMBER),
    st.builds(lambda kind, key, op, value: f"{kind}.`{key}` {op} {_quoted(value)}", st.sampled_from(["params", "tags", "param"]), NAME, LIKE, TEXT),
    st.builds(lambda kind, key, null: f"{kind}.`{key}` {null}", st.sampled_from(["params", "tags", "metrics"]), NAME, st.sampled_from(["IS NULL", "IS NOT NULL"])),
    st.builds(lambda key, op, value: f"attributes.{key} {op} {_quoted(value)}", st.sampled_from(["status", "run_name", "user_id", "artifact_uri", "run_id", "`Run Name`"]), LIKE, st.one_of(TEXT, st.sampled_from(["FINISHED", "alice"]))),
    st.builds(lambda key, op, value: f"attributes.{key} {op} {value}", st.sampled_from(["start_time", "end_time", "created"]), COMPARED, st.sampled_from([str(NOW), "0", str(NOW + 3)])),
    st.builds(lambda key, op, value: f"dataset.{key} {op} {_quoted(value)}", st.sampled_from(["name", "digest", "context"]), LIKE, st.sampled_from(["iris", "train", "%i%", "wine"])),
    st.sampled_from(["", "run_id IN ('a','b')", "metrics.loss", "params.a = 1", "1 = 1", "tags.`mlflow.runName` != 'a'", "); DROP TABLE runs"]),
)  # fmt: skip
ORDERS = st.one_of(
    st.builds(
        lambda kind, key, way: f"{kind}.`{key}`{way}",
        st.sampled_from(["metrics", "params", "tags"]),
        NAME,
        st.sampled_from(["", " ASC", " DESC"]),
    ),
    st.builds(
        lambda key, way: f"{key}{way}",
        st.sampled_from(["attributes.start_time", "status", "run_name", "end_time", "user_id", "run_id", "artifact_uri", "`Created`", "nothing"]),
        st.sampled_from(["", " DESC"]),
    ),
)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {"experiment_ids": st.lists(st.sampled_from(["1", "2", "3", "0", "99"]), max_size=4, unique=True)},
    optional={
        "filter": st.lists(CLAUSES, min_size=1, max_size=3).map(" AND ".join),
        "order_by": st.lists(ORDERS, max_size=3),
        "max_results": st.sampled_from([1, 2, 10, 1000, 50000]),
        "run_view_type": st.sampled_from(["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]),
    },
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(body=BODIES)
def test_drawn_searches(filled: Filled, body: dict[str, Any]) -> None:
    found = search(filled[0], body)
    if found and "next_page_token" in found:
        search(filled[0], {**body, "page_token": found["next_page_token"]})


@pytest.mark.parametrize(
    "body",
    [
        {"experiment_ids": ["x"]},
        {"experiment_ids": ["1"], "page_token": "!"},
        {"experiment_ids": ["1"], "page_token": "bm8="},
        {"experiment_ids": ["1"], "order_by": ["metrics.a", "metrics.a"]},
    ],
)
def test_what_upstream_refuses_is_declined(filled: Filled, body: dict[str, Any]) -> None:
    assert search(filled[0], body) is None


def test_texts_are_all_there(filled: Filled) -> None:
    found = search(filled[0], {"experiment_ids": ["1", "2", "3"], "run_view_type": "ALL"})
    values = {param["value"] for run in found["runs"] for param in run["data"].get("params", [])}
    assert values >= set(TEXTS) - {""}
