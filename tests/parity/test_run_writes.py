"""Single writes to a run and the life of a run: bodies good and odd, put to both servers; answers and rows are compared.

Creations are in ``test_create_run``: there each server makes up a run of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.parity.exchange import Pair
from tests.parity.odd_values import BIG, KEYS, NOW, NUMBERS, RUNS, TEXTS
from tests.parity.test_log_batch import PAIR_VALUES
from tests.parity.writes import JSON, Case, check


def one(key: object = "k", value: object = "v", **fields: object) -> dict[str, object]:
    """A param or tag with its run; ``...`` takes a field away."""
    whole: dict[str, object] = {"run_id": "$run", "key": key, "value": value, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def change(**fields: object) -> dict[str, object]:
    """A change of a run; ``...`` takes a field away."""
    whole = {"run_id": "$run", **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def variants(body: Mapping[str, object], name: str, values: Mapping[str, object]) -> Iterator[Case]:
    """A case for each value of one field."""
    for what, value in values.items():
        fields = {key: each for key, each in {**body, name: value}.items() if each is not ...}
        yield Case(f"{name} {what}", (fields,))


def forms(body: dict[str, object]) -> list[Case]:
    """The same body in forms good and odd, and for runs that are not active."""
    text = json.dumps(body)
    return [
        *variants(body, "run_id", RUNS),
        Case("run_uuid", ({**{k: v for k, v in body.items() if k != "run_id"}, "run_uuid": "$run"},)),
        Case("both names of the run", ({**body, "run_uuid": "$run"},)),
        Case("two runs", ({**body, "run_uuid": "$other"},)),
        Case("camelCase", ({**{k: v for k, v in body.items() if k != "run_id"}, "runId": "$run"},)),
        Case("an unknown field", ({**body, "extra": [1]},)),
        Case("twice", (body, body)),
        Case("a deleted run", (body,), run="deleted"),
        Case("an absent run", (body,), run="absent"),
        Case("nothing", (b"",)),
        Case("null", ("null",)),
        Case("an empty object", ("{}",)),
        Case("text after the object", (text + "]",)),
        Case("not UTF-8", (text.encode().replace(b"$run", b"$run\xff"),)),
        Case("JSON inside a text", (json.dumps(text),)),
        Case("a charset", (body,), content_type=f"{JSON};charset=utf-8"),
        Case("another content type", (body,), content_type="text/json"),
        Case("a query", (body,), query="?run_id=$other"),
    ]


NAMES: Mapping[str, object] = {
    **TEXTS,
    "missing": ...,
    "true": True,
    "the same": "run",
    "an accent": "größe",
    "a dollar": "a$b",
    "a line feed": "a\nb",
    "NUL": "a\0b",
    "a lone surrogate": "\ud800",
    "an emoji": "\U0001f600",
    "250 characters": "n" * 250,
    "251 characters": "n" * 251,
}

STATUSES: Mapping[str, object] = {
    **{name: name for name in ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")},
    "missing": ...,
    "null": None,
    "empty": "",
    "in small letters": "finished",
    "unknown": "DONE",
    "a number": 3,
    "an unknown number": 9,
    "a list": [],
}

PARAMS = [
    *forms(one()),
    *variants(one(), "key", KEYS),
    *variants(one(), "value", PAIR_VALUES),
    Case("another value", (one(), one(value="w"), one())),
    Case("an empty value", (one(value=""), one(value=...), one(value="x"))),
    Case("a long value twice", (one(value="v" * 6001), one(value="v" * 6002))),
    Case("keys that differ in case", (one("a"), one("A"))),
]

TAGS = [
    *forms(one()),
    *variants(one(), "key", KEYS),
    *variants(one(), "value", PAIR_VALUES),
    *variants(one("mlflow.runName"), "value", NAMES),
    Case("another value", (one(), one(value="w"), one())),
    Case("the run's name, and back", (one("mlflow.runName", "a"), one("mlflow.runName", "run"))),
    Case("the name of a deleted run", (one("mlflow.runName"),), run="deleted"),
    Case("the name of an absent run", (one("mlflow.runName"),), run="absent"),
]

UPDATES = [
    *forms(change(status="FINISHED", end_time=NOW, run_name="renamed")),
    *variants(change(), "status", STATUSES),
    *variants(change(status="FAILED"), "end_time", {**NUMBERS, "now": NOW}),
    *variants(change(end_time=NOW), "run_name", NAMES),
    Case("nothing to change", (change(),)),
    Case("one after the other", (change(status="FINISHED"), change(end_time=5), change(run_name="b"), change())),
    Case("an end, then none", (change(end_time=NOW), change(end_time=0))),
    Case("the largest time", (change(end_time=BIG - 1),)),
    Case("a nameless run", (change(run_name="x"), change(run_name=""))),
]

DELETIONS = [
    *forms({"run_id": "$run", "key": "mlflow.runName"}),
    *variants(one(value=...), "key", KEYS),
    Case("a tag of another run", (one(value=..., run_id="$other"),)),
]

STAGES = forms({"run_id": "$run"})


def ids(case: Case) -> str:
    """Name a case."""
    return case.name


@pytest.mark.parametrize("case", PARAMS, ids=ids)
def test_log_parameter(write_pair: Pair, case: Case) -> None:
    assert check(write_pair, "runs/log-parameter", case)


@pytest.mark.parametrize("case", TAGS, ids=ids)
def test_set_tag(write_pair: Pair, case: Case) -> None:
    assert check(write_pair, "runs/set-tag", case)


@pytest.mark.parametrize("case", UPDATES, ids=ids)
def test_update(write_pair: Pair, case: Case) -> None:
    assert check(write_pair, "runs/update", case)


@pytest.mark.parametrize("case", DELETIONS, ids=ids)
def test_delete_tag(write_pair: Pair, case: Case) -> None:
    assert check(write_pair, "runs/delete-tag", case)


@pytest.mark.parametrize("case", STAGES, ids=ids)
@pytest.mark.parametrize("route", ["delete", "restore"])
def test_stage(write_pair: Pair, route: str, case: Case) -> None:
    assert check(write_pair, f"runs/{route}", case)
