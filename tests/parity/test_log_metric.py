"""``POST runs/log-metric``: bodies good and odd, put to both servers; answers and rows are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import permutations

import pytest

from tests.parity.exchange import Pair
from tests.parity.odd_values import KEYS, LITERALS, NUMBERS, POINTS, RUNS, SPECIAL, TEXTS, VALUES, metric
from tests.parity.writes import JSON, Case, check


def literal(name: str, text: str) -> str:
    """The usual body with ``text`` as the JSON of field ``name``; it may be what ``json`` does not write."""
    return json.dumps(metric(**{name: "@"})).replace('"@"', text)


def variants(name: str, values: Mapping[str, object]) -> Iterator[Case]:
    """A case for each value of one field."""
    for what, value in values.items():
        yield Case(f"{name} {what}", (metric(**{name: value}),))


ORDERS = [
    *(
        Case(f"order: {', '.join(names)}", tuple(metric(**POINTS[name]) for name in names))
        for names in permutations(POINTS, 3)
    ),
    *(
        Case(f"order at one time: {', '.join(names)}", tuple(metric(**SPECIAL[name]) for name in names))
        for names in permutations(SPECIAL, 2)
    ),
]

REPEATS = [
    Case("repeat: the same point", (metric(), metric())),
    Case(
        "repeat: the same point, then another", (metric(), metric(), metric(step=2), metric(step=2), metric())
    ),
    Case("repeat: NaN", (metric(value="NaN"), metric(value="NaN"))),
    Case("repeat: minus zero after zero", (metric(value=0.0), metric(value=-0.0), metric(value=0.0))),
    Case("repeat: another value at the same point", (metric(), metric(value=0.25), metric(value=0.75))),
    Case("repeat: keys that differ in case", (metric(key="a"), metric(key="A"))),
    Case("repeat: keys that differ in a space at the end", (metric(key="a"), metric(key="a "))),
    Case("repeat: a point that was overtaken", (metric(step=1), metric(step=2), metric(step=1))),
]

FORMS = [
    Case("as the Python client sends it", (metric(run_uuid="$run"),)),
    Case("run_uuid only", (metric(run_id=..., run_uuid="$run"),)),
    Case("run_id and another run_uuid", (metric(run_uuid="$other"),)),
    Case(
        "run_uuid first",
        ('{"run_uuid": "$other", "run_id": "$run", "key": "m", "value": 1, "timestamp": 1}',),
    ),
    Case("run_uuid empty", (metric(run_uuid=""),)),
    Case("run_id empty and run_uuid", (metric(run_id="", run_uuid="$run"),)),
    Case("camelCase", (metric(run_id=..., runId="$run"),)),
    Case("both spellings of a field", (metric(runId="$run"),)),
    Case("both spellings of another field", (metric(modelId="$model", model_id="$model"),)),
    Case("an unknown field", (metric(extra=1),)),
    Case("an unknown object with both spellings", (metric(extra={"run_id": 1, "runId": 2}),)),
    Case(
        "fields in another order", ('{"step": 3, "timestamp": 5, "value": 2, "key": "m", "run_id": "$run"}',)
    ),
    Case("a field twice", ('{"run_id": "$run", "key": "a", "key": "b", "value": 2, "timestamp": 5}',)),
    Case(
        "a bad value before the rest",
        ('{"run_id": "$run", "value": "x", "key": "m", "timestamp": 5, "step": 2}',),
    ),
    Case(
        "a bad time after the rest",
        ('{"run_id": "$run", "key": "m", "value": 2, "step": 4, "timestamp": 5.5}',),
    ),
    Case(
        "a bad time before the rest",
        ('{"timestamp": 5.5, "run_id": "$run", "key": "m", "value": 2, "step": 4}',),
    ),
    Case(
        "a bad step before the rest",
        ('{"step": "x", "run_id": "$run", "key": "m", "value": 2, "timestamp": 4}',),
    ),
    Case(
        "a null time after a bad value", ('{"run_id": "$run", "key": "m", "value": "x", "timestamp": null}',)
    ),
    Case("escapes", ('{"run_id": "$run", "key": "\\u0061\\/b", "value": 1, "timestamp": 1}',)),
    Case("a surrogate pair", ('{"run_id": "$run", "key": "\\ud83d\\ude00", "value": 1, "timestamp": 1}',)),
    Case("space around", ("\n\t " + json.dumps(metric()) + " \r\n",)),
    Case("text after the object", (json.dumps(metric()) + " x",)),
    Case("a comma too many", (json.dumps(metric())[:-1] + ",}",)),
    Case("cut off", (json.dumps(metric())[:-5],)),
    Case("a byte order mark", (b"\xef\xbb\xbf" + json.dumps(metric()).encode(),)),
    Case("not UTF-8", (json.dumps(metric(key="@")).encode().replace(b"@", b"\xe9"),)),
    Case("an overlong slash", (json.dumps(metric(key="@")).encode().replace(b"@", b"\xc0\xaf"),)),
    Case("UTF-16", (json.dumps(metric(run_id="absent")).encode("utf-16"),)),
    Case("a control character", (json.dumps(metric(key="@")).replace("@", "a\x01"),)),
    Case("single quotes", ("{'run_id': '$run'}",)),
    Case("a comment", (json.dumps(metric())[:-1] + "/* */}",)),
    Case("deep nesting", (json.dumps(metric(extra="@")).replace('"@"', "[" * 200 + "]" * 200),)),
    Case("nothing", (b"",)),
    Case("null", ("null",)),
    Case("a list", ("[1]",)),
    Case("a number", ("5",)),
    Case("an empty object", ("{}",)),
    Case("JSON inside a text", (json.dumps(json.dumps(metric())),)),
    Case("no JSON inside a text", ('"abc"',)),
    Case("a charset", (metric(key="é"),), content_type=f"{JSON}; charset=utf-8"),
    Case(
        "another charset",
        (json.dumps(metric(key="é"), ensure_ascii=False).encode("latin-1"),),
        f"{JSON}; charset=latin-1",
    ),
    Case("a content type in capitals", (metric(),), content_type="Application/JSON"),
    Case("a content type with a space", (metric(),), content_type=f"{JSON} ; charset=utf-8"),
    Case("another content type", (metric(),), content_type="text/plain"),
    Case("a content type that only begins so", (metric(),), content_type=f"{JSON}-patch"),
    Case("no content type", (metric(),), content_type=None),
    Case("a query", (metric(),), query="?run_id=$other&key=other"),
    Case("an empty query", (metric(),), query="?"),
    Case("accepting gzip only", (metric(),), headers={"Accept-Encoding": "gzip"}),
    Case("accepting no JSON", (metric(),), headers={"Accept": "text/html"}),
    Case("a deleted run", (metric(),), run="deleted"),
    Case("an absent run", (metric(),), run="absent"),
    Case("a deleted run and a bad key", (metric(key="a$b"),), run="deleted"),
    Case("an absent run and a negative time", (metric(timestamp=-1),), run="absent"),
    Case("a deleted run and a model", (metric(model_id="$model"),), run="deleted"),
]

MODELS = [
    Case("model", (metric(model_id="$model"),)),
    Case("model with a data set", (metric(model_id="$model", dataset_name="iris", dataset_digest="d1"),)),
    Case("model with a data set's name only", (metric(model_id="$model", dataset_name="iris"),)),
    Case("data set without a model", (metric(dataset_name="iris", dataset_digest="d1"),)),
    Case("model and NaN", (metric(model_id="$model", value="NaN"),)),
    Case("model and infinity", (metric(model_id="$model", value="-Infinity"),)),
    Case("model twice", (metric(model_id="$model"), metric(model_id="$model"))),
    Case("model and a long key", (metric(model_id="$model", key="k" * 250),)),
    Case(
        "model and a long data set", (metric(model_id="$model", dataset_name="n" * 501, dataset_digest="d"),)
    ),
    Case("model and a long digest", (metric(model_id="$model", dataset_name="n", dataset_digest="d" * 37),)),
    *variants("model_id", TEXTS),
    *variants("dataset_name", TEXTS),
]

CASES = [
    *variants("value", VALUES),
    *variants("timestamp", NUMBERS),
    *variants("step", NUMBERS),
    *(
        Case(f"{name} {text}", (literal(name, text),))
        for name in ("value", "timestamp", "step")
        for text in LITERALS
    ),
    *variants("key", KEYS),
    *variants("run_id", RUNS),
    *ORDERS,
    *REPEATS,
    *FORMS,
    *MODELS,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_and_rows_as_upstreams(write_pair: Pair, case: Case) -> None:
    assert check(write_pair, "runs/log-metric", case)
