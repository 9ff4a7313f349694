"""``POST runs/log-metric``: bodies good and odd, put to both servers; answers and rows are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import permutations

import pytest

from tests.parity.exchange import Pair
from tests.parity.writes import JSON, Case, check

NOW = 1_700_000_000_123
BIG = 2**63


def metric(**fields: object) -> dict[str, object]:
    """A body in the usual form; ``...`` takes a field away."""
    whole: dict[str, object] = {"run_id": "$run", "key": "m", "value": 0.5, "timestamp": NOW, "step": 1, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def literal(name: str, text: str) -> str:
    """The usual body with the JSON ``text`` as the value of ``name``, which may be what ``json`` does not write."""
    return json.dumps(metric(**{name: "@"})).replace('"@"', text)


def variants(name: str, values: Mapping[str, object]) -> Iterator[Case]:
    """A case for each value of one field."""
    for what, value in values.items():
        yield Case(f"{name} {what}", (metric(**{name: value}),))


NUMBERS: Mapping[str, object] = {
    "missing": ...,
    "null": None,
    "true": True,
    "a list": [1],
    "an object": {},
    "an empty text": "",
    "a word": "abc",
    "a text with spaces": " 5 ",
    "a text with an underscore": "1_0",
    "a hexadecimal text": "0x10",
    "digits of another script": "१",
    "an integer in a text": "7",
    "a signed integer in a text": "+7",
    "a fraction in a text": "7.0",
    "a float without a fraction": 7.0,
    "zero": 0,
    "negative": -3,
    "minus zero": -0.0,
    "the largest int64": BIG - 1,
    "beyond int64": BIG,
    "the smallest int64": -BIG,
    "below int64": -BIG - 1,
    "the largest int64 in a text": str(BIG - 1),
    "beyond int64 in a text": str(BIG),
    "beyond every integer type": 10**400,
}

LITERALS = ("1e3", "1E400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1e", "--1")

VALUES: Mapping[str, object] = {
    **NUMBERS,
    "a fraction": 1.5,
    "the largest double": 1.7976931348623157e308,
    "a subnormal": 5e-324,
    "more digits than a double has": 0.1234567890123456789,
    "an integer beyond 2**53": 2**53 + 1,
    "NaN": "NaN",
    "nan": "nan",
    "-NaN": "-NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "infinity": "infinity",
    "inf": "inf",
    "an exponent in a text": "1e3",
    "too large a number in a text": "1e400",
}

KEYS: Mapping[str, object] = {
    "missing": ...,
    "null": None,
    "a number": 5,
    "true": True,
    "a list": ["a"],
    "empty": "",
    "with every permitted sign": "a/b_c-d.e:f g",
    "accented": "é",
    "Cyrillic": "ключ",
    "Chinese": "损失",
    "Arabic digits": "١٢",
    "a combining accent": "e\u0301",
    "an emoji": "\U0001f600",
    "a dollar": "a$b",
    "a line feed at the end": "a\n",
    "two line feeds at the end": "a\n\n",
    "a line feed inside": "a\nb",
    "a tab": "a\tb",
    "NUL": "a\0b",
    "a lone surrogate": "a\ud800",
    "a path that climbs": "../a",
    "a path that is not normal": "a//b",
    "a path with a dot": "a/./b",
    "a path that climbs inside": "a/../b",
    "an absolute path": "/a",
    "a slash at the end": "a/",
    "a dot": ".",
    "two dots": "..",
    "250 characters": "k" * 250,
    "251 characters": "k" * 251,
    "250 letters of two bytes": "é" * 250,
    "a space": " ",
    "spaces at the ends": " a ",
}

RUNS: Mapping[str, object] = {
    "missing": ...,
    "null": None,
    "empty": "",
    "a number": 5,
    "with a path": "../$run",
    "in capitals": "ABCDEF",
    "with a space": "$run ",
    "long": "r" * 300,
}

TEXTS: Mapping[str, object] = {"null": None, "empty": "", "a number": 5, "unknown": "absent"}

POINTS: Mapping[str, Mapping[str, object]] = {
    "early": {"value": 1.0, "timestamp": NOW, "step": 1},
    "later step": {"value": 0.5, "timestamp": NOW - 10, "step": 2},
    "later time": {"value": 0.1, "timestamp": NOW + 10, "step": 1},
    "higher value": {"value": 2.0, "timestamp": NOW, "step": 1},
}

SPECIAL: Mapping[str, Mapping[str, object]] = {
    "NaN": {"value": "NaN"},
    "zero": {"value": 0.0},
    "minus zero": {"value": -0.0},
    "infinity": {"value": "Infinity"},
    "the largest double": {"value": 1.7976931348623157e308},
    "negative": {"value": -1.0},
}

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
    Case("repeat: the same point, then another", (metric(), metric(), metric(step=2), metric(step=2), metric())),
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
    Case("run_uuid first", ('{"run_uuid": "$other", "run_id": "$run", "key": "m", "value": 1, "timestamp": 1}',)),
    Case("run_uuid empty", (metric(run_uuid=""),)),
    Case("run_id empty and run_uuid", (metric(run_id="", run_uuid="$run"),)),
    Case("camelCase", (metric(run_id=..., runId="$run"),)),
    Case("both spellings of a field", (metric(runId="$run"),)),
    Case("both spellings of another field", (metric(modelId="$model", model_id="$model"),)),
    Case("an unknown field", (metric(extra=1),)),
    Case("an unknown object with both spellings", (metric(extra={"run_id": 1, "runId": 2}),)),
    Case("fields in another order", ('{"step": 3, "timestamp": 5, "value": 2, "key": "m", "run_id": "$run"}',)),
    Case("a field twice", ('{"run_id": "$run", "key": "a", "key": "b", "value": 2, "timestamp": 5}',)),
    Case("a bad value before the rest", ('{"run_id": "$run", "value": "x", "key": "m", "timestamp": 5, "step": 2}',)),
    Case("a bad time after the rest", ('{"run_id": "$run", "key": "m", "value": 2, "step": 4, "timestamp": 5.5}',)),
    Case("a bad time before the rest", ('{"timestamp": 5.5, "run_id": "$run", "key": "m", "value": 2, "step": 4}',)),
    Case("a bad step before the rest", ('{"step": "x", "run_id": "$run", "key": "m", "value": 2, "timestamp": 4}',)),
    Case("a null time after a bad value", ('{"run_id": "$run", "key": "m", "value": "x", "timestamp": null}',)),
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
    Case("another charset", (json.dumps(metric(key="é"), ensure_ascii=False).encode("latin-1"),), f"{JSON}; charset=latin-1"),
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
    Case("model and a long data set", (metric(model_id="$model", dataset_name="n" * 501, dataset_digest="d"),)),
    Case("model and a long digest", (metric(model_id="$model", dataset_name="n", dataset_digest="d" * 37),)),
    *variants("model_id", TEXTS),
    *variants("dataset_name", TEXTS),
]

CASES = [
    *variants("value", VALUES),
    *variants("timestamp", NUMBERS),
    *variants("step", NUMBERS),
    *(Case(f"{name} {text}", (literal(name, text),)) for name in ("value", "timestamp", "step") for text in LITERALS),
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
