"""``POST runs/log-batch``: bodies good and odd, put to both servers; answers and rows are compared.

One difference is meant: what upstream refuses half way leaves nothing in our database, and half of it in
upstream's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import permutations

import pytest

from tests.parity.exchange import Pair
from tests.parity.odd_values import (
    BIG,
    KEYS,
    LITERALS,
    NOW,
    NUMBERS,
    POINTS,
    RUNS,
    SPECIAL,
    TEXTS,
    VALUES,
)
from tests.parity.writes import JSON, Case, check


def point(key: object = "m", **fields: object) -> dict[str, object]:
    """A metric of a batch; ``...`` takes a field away."""
    whole: dict[str, object] = {"key": key, "value": 0.5, "timestamp": NOW, "step": 1, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def pair(key: object = "k", value: object = "v", **more: object) -> dict[str, object]:
    """A param or a tag; ``...`` takes a field away."""
    whole = {"key": key, "value": value, **more}
    return {name: value for name, value in whole.items() if value is not ...}


def batch(**fields: object) -> dict[str, object]:
    """A body with the given sections; ``...`` takes a field away."""
    whole: dict[str, object] = {"run_id": "$run", **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def full(**fields: object) -> dict[str, object]:
    """A body with something in each section, and the given fields instead of its own."""
    return batch(
        **{"metrics": [point("a"), point("b", step=2)], "params": [pair("p")], "tags": [pair("t")], **fields}
    )


def one_metric(name: str, values: Mapping[str, object]) -> Iterator[Case]:
    """A case for each value of a field of one metric, between two others and with a param and a tag."""
    for what, value in values.items():
        field = {"key": value} if name == "key" else {name: value}
        odd = {**point("m"), **field}
        odd = {key: each for key, each in odd.items() if each is not ...}
        yield Case(f"metric: {name} {what}", (full(metrics=[point("first"), odd, point("last")]),))


def one_pair(section: str, name: str, values: Mapping[str, object]) -> Iterator[Case]:
    """A case for each value of a field of one param or tag, between two others."""
    for what, value in values.items():
        odd = pair(**{name: value})
        yield Case(f"{section}: {name} {what}", (full(**{section: [pair("first"), odd, pair("last")]}),))


PAIR_VALUES: Mapping[str, object] = {
    **TEXTS,
    "missing": ...,
    "true": True,
    "a fraction": 1.5,
    "an object": {"a": 1},
    "a line feed": "a\nb",
    "NUL": "a\0b",
    "a lone surrogate": "\ud800",
    "an emoji": "\U0001f600",
    "500 characters": "v" * 500,
    "6000 characters": "v" * 6000,
    "6001 characters": "v" * 6001,
    "8000 characters": "v" * 8000,
    "8001 characters": "v" * 8001,
    "6000 letters of two bytes": "é" * 6000,
}

SECTIONS: Mapping[str, object] = {
    "missing": ...,
    "null": None,
    "empty": [],
    "an object": {"key": "a"},
    "a text": "x",
    "a text in a list": ["x"],
}

MANY_METRICS = [point(f"m{number}", step=number) for number in range(1000)]
MANY_PAIRS = [pair(f"k{number}", f"v{number}") for number in range(100)]

LIMITS = [
    Case("limit: 1000 metrics", (batch(metrics=MANY_METRICS),)),
    Case("limit: 1000 metrics of one key", (batch(metrics=[point(step=number) for number in range(1000)]),)),
    Case("limit: 1001 metrics", (batch(metrics=[*MANY_METRICS, point()]),)),
    Case("limit: 100 params", (batch(params=MANY_PAIRS),)),
    Case("limit: 101 params", (batch(params=[*MANY_PAIRS, pair()]),)),
    Case("limit: 100 tags", (batch(tags=MANY_PAIRS),)),
    Case("limit: 101 tags", (batch(tags=[*MANY_PAIRS, pair()]),)),
    Case("limit: 1000 in all", (batch(metrics=MANY_METRICS[:800], params=MANY_PAIRS, tags=MANY_PAIRS),)),
    Case("limit: 1001 in all", (batch(metrics=MANY_METRICS[:801], params=MANY_PAIRS, tags=MANY_PAIRS),)),
    Case(
        "limit: more than a megabyte",
        (batch(tags=[pair(f"t{n}", "v" * 5000) for n in range(100)], extra="x" * 600_000),),
    ),
]

ORDERS = [
    *(
        Case(
            f"order in one batch: {', '.join(names)}",
            (batch(metrics=[point(**POINTS[name]) for name in names]),),
        )
        for names in permutations(POINTS, 3)
    ),
    *(
        Case(
            f"order at one time: {', '.join(names)}",
            (batch(metrics=[point(**SPECIAL[name]) for name in names]),),
        )
        for names in permutations(SPECIAL, 2)
    ),
    Case(
        "order over two batches",
        (
            batch(metrics=[point("a", step=5), point("b", step=1), point("c", step=3)]),
            batch(
                metrics=[point("c", step=2), point("a", step=6), point("d"), point("b", step=1, value=0.75)]
            ),
        ),
    ),
]

REPEATS = [
    Case("repeat: the whole batch", (full(), full())),
    Case(
        "repeat: one of three metrics", (full(), full(metrics=[point("a"), point("c"), point("b", step=3)]))
    ),
    Case("repeat: a metric in one batch", (batch(metrics=[point(), point()]),)),
    Case("repeat: NaN in one batch", (batch(metrics=[point(value="NaN"), point(value="NaN")]),)),
    Case(
        "repeat: NaN over two batches",
        (batch(metrics=[point(value="NaN")]), batch(metrics=[point(value="NaN")])),
    ),
    Case("repeat: zeros of both signs", (batch(metrics=[point(value=0.0), point(value=-0.0)]),)),
    Case("repeat: an integer and a double", (batch(metrics=[point(value=1), point(value=1.0)]),)),
    Case(
        "repeat: infinity and the largest double",
        (batch(metrics=[point(value="Infinity"), point(value=1e400)]),),
    ),
    Case("repeat: a param with the same value", (batch(params=[pair()]), batch(params=[pair()]))),
    Case("repeat: a param with another value", (batch(params=[pair()]), full(params=[pair(value="w")]))),
    Case(
        "repeat: two params, one with another value",
        (batch(params=[pair("a"), pair("b")]), full(params=[pair("a"), pair("b", "w")])),
    ),
    Case(
        "repeat: a param that ends in a space",
        (batch(params=[pair(value="v")]), batch(params=[pair(value="v ")])),
    ),
    Case("repeat: a param in one batch, same value", (full(params=[pair("p"), pair("p")]),)),
    Case("repeat: a param in one batch, other value", (full(params=[pair("p"), pair("p", "w")]),)),
    Case(
        "repeat: a long param",
        (batch(params=[pair(value="v" * 6001)]), batch(params=[pair(value="v" * 6002)])),
    ),
    Case("repeat: an empty param", (batch(params=[pair(value="")]), batch(params=[pair(value=...)]))),
    Case(
        "repeat: keys that differ in case",
        (batch(params=[pair("a"), pair("A", "w")], tags=[pair("a"), pair("A", "w")]),),
    ),
    Case("repeat: a tag with another value", (batch(tags=[pair()]), batch(tags=[pair(value="w")]))),
    Case("repeat: a tag with the same value", (batch(tags=[pair()]), batch(tags=[pair()]))),
    Case("repeat: a tag in one batch", (batch(tags=[pair(), pair(value="w")]),)),
    Case("repeat: a tag in one batch, back again", (batch(tags=[pair(), pair(value="w"), pair()]),)),
    Case(
        "repeat: tags, old and new",
        (batch(tags=[pair("a"), pair("b")]), batch(tags=[pair("b", "w"), pair("c")])),
    ),
]

HALVES = [
    Case("half: params, then a metric of an unknown model", (full(metrics=[point(model_id="absent")]),)),
    Case("half: metrics, then a tag that the database refuses", (full(tags=[pair("t", "a\0b")]),)),
    Case(
        "half: params, then a metric that the database refuses",
        (full(metrics=[point("a", timestamp=BIG - 1, step=-BIG)]),),
    ),
    Case(
        "half: a changed param beside metrics and tags",
        (batch(params=[pair()]), full(params=[pair("n"), pair(value="w")])),
    ),
]

NAMES = [
    Case("run name", (full(tags=[pair("mlflow.runName", "another")]),)),
    Case("run name and other tags", (full(tags=[pair("a"), pair("mlflow.runName", "another"), pair("b")]),)),
    Case("run name, the same", (full(tags=[pair("mlflow.runName", "run")]),)),
    Case("run name, empty", (full(tags=[pair("mlflow.runName", "")]),)),
    Case("run name, long", (full(tags=[pair("mlflow.runName", "n" * 251)]),)),
    Case("run name twice", (full(tags=[pair("mlflow.runName", "one"), pair("mlflow.runName", "two")]),)),
    Case("run name of a deleted run", (full(tags=[pair("mlflow.runName", "another")]),), run="deleted"),
    Case("user tag", (full(tags=[pair("mlflow.user", "someone"), pair("mlflow.note.content", "text")]),)),
]

MODELS = [
    Case("model", (full(metrics=[point("a", model_id="$model"), point("b")]),)),
    Case(
        "model of every metric",
        (full(metrics=[point("a", model_id="$model"), point("b", model_id="$model")]),),
    ),
    Case(
        "model with a data set",
        (batch(metrics=[point(model_id="$model", dataset_name="d", dataset_digest="x")]),),
    ),
    Case("model and the run's id", (batch(metrics=[point(model_id="$model", run_id="$run")]),)),
    Case("model and another run's id", (batch(metrics=[point(model_id="$model", run_id="$other")]),)),
    Case("model twice", (full(metrics=[point(model_id="$model")]), full(metrics=[point(model_id="$model")]))),
    Case(
        "model, the same metric twice", (full(metrics=[point(model_id="$model"), point(model_id="$model")]),)
    ),
    Case("model, once with and once without", (full(metrics=[point(model_id="$model"), point()]),)),
    Case("model and NaN", (full(metrics=[point(model_id="$model", value="NaN")]),)),
    Case("data set without a model", (batch(metrics=[point(dataset_name="d", dataset_digest="x")]),)),
    Case("data sets that differ", (batch(metrics=[point(dataset_name="d"), point(dataset_name="e")]),)),
]

FORMS = [
    Case("nothing but a run", (batch(),)),
    Case("all sections", (full(),)),
    Case("all sections empty", (batch(metrics=[], params=[], tags=[]),)),
    Case("sections in another order", (dict(reversed(full().items())),)),
    Case("a section twice", ('{"run_id": "$run", "tags": [{"key": "a", "value": "1"}], "tags": []}',)),
    Case("camelCase", (full(run_id=..., runId="$run"),)),
    Case("camelCase in a metric", (full(metrics=[point(modelId="$model")]),)),
    Case("both spellings in a metric", (full(metrics=[point(modelId="$model", model_id="$model")]),)),
    Case("run_uuid", (full(run_id=..., run_uuid="$run"),)),
    Case("an unknown field", (full(extra=[1]),)),
    Case("an unknown field of a metric", (full(metrics=[point(extra=1)]),)),
    Case("an unknown field of a param", (full(params=[pair(extra=1)]),)),
    Case("a null field of a metric", (full(metrics=[point(model_id=None, dataset_name=None)]),)),
    Case("a bad value, then good metrics", (full(metrics=[point("a"), point("b", value="x"), point("c")]),)),
    Case(
        "a bad value before the run",
        ('{"metrics": [{"key": "a", "value": "x", "timestamp": 1}], "run_id": "$run"}',),
    ),
    Case("a number in a text", (full(metrics=[point(value="1.5", timestamp=str(NOW), step="3")]),)),
    Case(
        "a key of a metric in a path, then a bad param", (full(metrics=[point("../a")], params=[pair("a$")]),)
    ),
    Case("a bad param, then a bad tag", (full(params=[pair("a$")], tags=[pair("b$")]),)),
    Case("a deleted run", (full(),), run="deleted"),
    Case("an absent run", (full(),), run="absent"),
    Case("a deleted run and nothing to log", (batch(),), run="deleted"),
    Case("an absent run and a bad key", (full(metrics=[point("a$")]),), run="absent"),
    Case("an absent run and a param twice", (full(params=[pair(), pair(value="w")]),), run="absent"),
    Case("text after the object", (json.dumps(full()) + "]",)),
    Case("not UTF-8", (json.dumps(full(tags=[pair("t", "@")])).encode().replace(b"@", b"\xff"),)),
    Case("nothing", (b"",)),
    Case("null", ("null",)),
    Case("a list", ("[]",)),
    Case("an empty object", ("{}",)),
    Case("JSON inside a text", (json.dumps(json.dumps(full())),)),
    Case("a charset", (full(),), content_type=f"{JSON};charset=utf-8"),
    Case("another content type", (full(),), content_type="text/json"),
    Case("no content type", (full(),), content_type=None),
    Case("a query", (full(),), query="?run_id=$other"),
]

CASES = [
    *one_metric("value", VALUES),
    *one_metric("timestamp", NUMBERS),
    *one_metric("step", NUMBERS),
    *one_metric("key", KEYS),
    *one_metric("model_id", TEXTS),
    *one_pair("params", "key", KEYS),
    *one_pair("params", "value", PAIR_VALUES),
    *one_pair("tags", "key", KEYS),
    *one_pair("tags", "value", PAIR_VALUES),
    *(
        Case(f"{section} {what}", (full(**{section: value}),))
        for section in ("metrics", "params", "tags")
        for what, value in SECTIONS.items()
    ),
    *(Case(f"run_id {what}", (full(run_id=value),)) for what, value in RUNS.items()),
    *(
        Case(f"metric: value {text}", (json.dumps(full(metrics=[point(value="@")])).replace('"@"', text),))
        for text in LITERALS
    ),
    *LIMITS,
    *ORDERS,
    *REPEATS,
    *HALVES,
    *NAMES,
    *MODELS,
    *FORMS,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_and_rows_as_upstreams(write_pair: Pair, case: Case) -> None:
    assert check(write_pair, "runs/log-batch", case, atomic=True)


def test_upstream_keeps_half_of_a_batch_that_fails(write_pair: Pair) -> None:
    done = [each for case in HALVES for each in check(write_pair, "runs/log-batch", case, atomic=True)]
    assert any(each.kept_half for each in done), "take it off the README's list of differences"
