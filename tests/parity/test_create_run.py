"""``runs/create`` and ``experiments/set-experiment-tag``: bodies good and odd, put to both servers.

Each server makes up the run that it creates: answers and rows are compared in upstream's words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Pair
from tests.parity.odd_values import KEYS, NOW, NUMBERS, TEXTS
from tests.parity.test_log_batch import PAIR_VALUES, SECTIONS
from tests.parity.test_run_writes import NAMES
from tests.support.http import Request
from tests.support.rows import rows

Body = Mapping[str, object] | str | bytes
JSON = "application/json"
NAME = {"key": "mlflow.runName", "value": "tagged"}


def run(**fields: object) -> dict[str, object]:
    """A creation; ``...`` takes a field away."""
    whole: dict[str, object] = {"experiment_id": "0", "user_id": "u", "start_time": NOW, "run_name": "n", **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def tag(key: object = "k", value: object = "v", **fields: object) -> dict[str, object]:
    """A tag of a run, or with its ``experiment_id`` one of an experiment; ``...`` takes a field away."""
    whole = {"key": key, "value": value, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def variants(name: str, values: Mapping[str, object], base: dict[str, object]) -> Iterator[tuple[str, Body]]:
    """A body for each value of one field."""
    for what, value in values.items():
        yield f"{name} {what}", {k: v for k, v in {**base, name: value}.items() if v is not ...}


EXPERIMENTS: Mapping[str, object] = {
    **TEXTS,
    "missing": ...,
    "unknown number": "99",
    "with a zero before": "00",
    "with a sign": "+0",
    "with a space": " 0",
    "in other digits": "٠",
    "beyond int32": "4294967296",
    "beyond int64": str(2**64),
}

CREATIONS: dict[str, Body] = dict(
    [
        *variants("experiment_id", EXPERIMENTS, run()),
        *variants("start_time", NUMBERS, run()),
        *variants("run_name", NAMES, run()),
        *variants("user_id", {**NAMES, "256 characters": "u" * 256, "257 characters": "u" * 257}, run()),
        *variants("tags", SECTIONS, run()),
        *((f"tag: {what}", run(tags=[body])) for what, body in variants("key", KEYS, tag())),
        *((f"tag: {what}", run(tags=[body])) for what, body in variants("value", PAIR_VALUES, tag())),
        ("everything", run(tags=[tag("a"), tag("b")])),
        ("nothing but an experiment", {"experiment_id": "0"}),
        ("a name in a tag", run(run_name=..., tags=[tag("a"), NAME, tag("b")])),
        ("a name in both", run(run_name="tagged", tags=[NAME, tag("b")])),
        ("two names", run(tags=[NAME])),
        ("an empty name and a tag", run(run_name="", tags=[NAME])),
        ("an empty name tag", run(tags=[tag("mlflow.runName", "")])),
        ("a long name tag", run(run_name=..., tags=[tag("mlflow.runName", "n" * 251)])),
        ("two name tags", run(run_name=..., tags=[NAME, NAME])),
        ("a tag twice", run(tags=[tag("a"), tag("a", "w")])),
        ("a tag without a value", run(tags=[tag(value=...)])),
        ("100 tags", run(tags=[tag(f"t{number}") for number in range(100)])),
        ("101 tags", run(tags=[tag(f"t{number}") for number in range(101)])),
        ("camelCase", {"experimentId": "0", "runName": "n", "startTime": NOW, "userId": "u"}),
        ("an unknown field", run(extra=1)),
        ("text after the object", json.dumps(run()) + "]"),
        ("not UTF-8", json.dumps(run()).encode().replace(b'"u"', b'"\xff"')),
        ("JSON inside a text", json.dumps(json.dumps(run()))),
        ("a list", "[]"),
    ]
)

EXPERIMENT_TAGS: dict[str, Body] = dict(
    [
        *variants("experiment_id", EXPERIMENTS, tag(experiment_id="0")),
        *variants("key", KEYS, tag(experiment_id="0")),
        *variants("value", PAIR_VALUES, tag(experiment_id="0")),
        *variants("value", {"20000 characters": "v" * 20_000, "20001": "v" * 20_001}, tag(experiment_id="0")),
        ("the same again", tag(experiment_id="0")),
        ("another value", tag(value="w", experiment_id="0")),
        ("a retention", tag("mlflow.trace.archivalRetention", "7d", experiment_id="0")),
        ("a bad retention", tag("mlflow.trace.archivalRetention", "soon", experiment_id="0")),
        ("archive now", tag("mlflow.trace.archiveNow", "soon", experiment_id="0")),
        ("a note", tag("mlflow.note.content", "# größe", experiment_id="0")),
        ("an unknown field", tag(experiment_id="0", extra=1)),
        ("nothing", b""),
    ]
)


def put(pair: Pair, route: str, case: str, body: Body) -> None:
    """Send ``body`` under both prefixes, and fail where an answer differs."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    for prefix in ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"):
        exchange = pair.ask(Request("POST", prefix + route, {"Content-Type": JSON}, data), prefix + route, case)
        found = unlisted(exchange.findings, ROUTES)
        assert not found, "\n".join([repr(data), *map(str, found)])


def assert_rows_alike(pair: Pair, *tables: str) -> None:
    """Fail where a row that one server stored has no counterpart in the other's database."""
    upstream, ours = (
        {table: sorted(map(pair.alike.canonical, found)) for table, found in rows(uri, dict.fromkeys(tables, "true")).items()}
        for uri in pair.uris
    )
    for table in tables:
        assert ours[table] == upstream[table], table


@pytest.mark.parametrize("case", CREATIONS)
def test_create_run(write_pair: Pair, case: str) -> None:
    put(write_pair, "runs/create", case, CREATIONS[case])


def test_rows_of_runs_that_were_created(write_pair: Pair) -> None:
    assert_rows_alike(write_pair, "runs", "tags")


@pytest.mark.parametrize("case", EXPERIMENT_TAGS)
def test_set_experiment_tag(write_pair: Pair, case: str) -> None:
    put(write_pair, "experiments/set-experiment-tag", case, EXPERIMENT_TAGS[case])
    assert_rows_alike(write_pair, "experiment_tags")
