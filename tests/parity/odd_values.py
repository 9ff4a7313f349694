"""Values good and odd for the fields of a metric, a param and a tag."""

from __future__ import annotations

from collections.abc import Mapping

NOW = 1_700_000_000_123
BIG = 2**63


def metric(**fields: object) -> dict[str, object]:
    """A body in the usual form; ``...`` takes a field away."""
    whole: dict[str, object] = {
        "run_id": "$run",
        "key": "m",
        "value": 0.5,
        "timestamp": NOW,
        "step": 1,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


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

LITERALS = (
    "1e3",
    "1E400",
    "-1e400",
    "1e-400",
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "1.",
    ".5",
    "+1",
    "0x1",
    "1e",
    "--1",
)

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
