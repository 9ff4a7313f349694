"""Request bodies as bytes: those of real clients, and the same bent in every way that a JSON text can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite

RUN = "0123456789abcdef" * 2

# A document is rendered from nodes, not from values, so that it can hold what no value can: a field twice, a number
# such as 1e400, a broken escape. A node is a token (str), an array (list) or an object (tuple of pairs).
Node = Any


def render(node: Node, space: str = "") -> str:
    """Write a node as JSON text, with ``space`` wherever white space may stand."""
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return f"[{space}" + f"{space},{space}".join(render(item, space) for item in node) + f"{space}]"
    pairs = (f"{key}{space}:{space}{render(value, space)}" for key, value in node)
    return f"{{{space}" + f"{space},{space}".join(pairs) + f"{space}}}"


def encode(document: str) -> bytes:
    """UTF-8, with lone surrogates as they are."""
    return document.encode("utf-8", "surrogatepass")


def text(value: str) -> str:
    """The token of a string."""
    return json.dumps(value)


# --- what may stand where something else is usual ---

_INTEGERS = """
    -0 00 01 -1 -01 +1 - -- 0x10 1_000 5.0 5.5 1.6e12 1e3 1E3 -0.0 9007199254740993 9.3e18 18446744073709551615
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551616
    "5.0" "5.5" "1e3" "12" "+12" "-12" "-0" "007" "1_2" "\\u0661\\u0662" "١٢" "12\\n" "" "-" "0x10" "NaN"
    "9223372036854775807" "9223372036854775808" "-9223372036854775808" "-9223372036854775809" "99999999999999999999"
"""
ODD_INTEGERS = [
    *_INTEGERS.split(),
    '" 12"',
    '"12 "',
    '"1 2"',
    '" "',
    text("0" * 30 + "1"),
    text("1" + "0" * 400),
]
_DOUBLES = """
    1e400 -1e400 1e-400 1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 4.9e-324 2.5e-324
    .5 1. 1.e5 1e 1e+ 0e0 NaN Infinity -Infinity nan inf true false null [] {} [1] {"a":1}
    "NaN" "nan" "NAN" "Infinity" "-Infinity" "+Infinity" "inf" "-inf" "infinity" "NaN\\u0000" "1.5" "1_0" "١"
"""
ODD_DOUBLES = [
    *_DOUBLES.split(),
    *("1" * 309, "1" + "0" * 308, "-1" + "0" * 309, "1" * 5000, "0." + "1" * 5000),
]
_KEYS = r". .. ..a ... / /a a/ a//b ./a a/. a/./b a/.. a/../b a/..b a$b a\b é ١ mlflow.runName mlflow.user"
ODD_KEYS = [text(key) for key in (*_KEYS.split(), " ", "a\n", "a\t", "k" * 250, "k" * 251)]
ODD_TEXTS = [
    *(
        r'"\ud800"',
        r'"\udc00"',
        r'"\ud83d\ude00"',
        r'"\ude00\ud83d"',
        r'"\ud83dx"',
        r'"\uD83D\u0041"',
        r'"\u0000"',
    ),
    *(
        r'"a\u0000b"',
        r'"\x41"',
        r'"\/"',
        r'"a\/b"',
        r'"\u002e\u002e"',
        r'"\u00e9"',
        r'"\u12"',
        r'"\"',
        "''",
        '"',
        '"a',
    ),
    *('"\x01"', '"a\tb"', '"\x7f"', '"\x00"', '"\x85"', '"é"', '"😀"', '"\u2028"', '"\ufeff"', '"\ud800"'),
    *(
        text(letter * size)
        for letter, size in zip("vvvvddmm", (6000, 6001, 8000, 8001, 500, 501, 36, 37), strict=True)
    ),
]
ODD_RUN_IDS = [
    text(run_id)
    for run_id in (RUN, RUN.upper(), "f" * 32, RUN[:-1], RUN + "0", "0" * 257, "é" * 32, RUN[:-1] + "\n")
]
ODD_TOKENS = [*ODD_INTEGERS, *ODD_DOUBLES, *ODD_KEYS, *ODD_TEXTS, *ODD_RUN_IDS]
ODD_NAMES = [
    *(
        "key",
        "value",
        "timestamp",
        "step",
        "run_id",
        "run_uuid",
        "model_id",
        "dataset_name",
        "dataset_digest",
    ),
    *("runId", "runUuid", "modelId", "datasetName", "datasetDigest", "metrics", "params", "tags"),
    *("", "extra", "Key", "[ext]", "key ", "metrics[0]", "\ud800"),
]

# --- the bodies of real clients ---

INTEGERS = st.integers(0, 2**63 - 1).map(str) | st.integers(0, 10).map(str)
DOUBLES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,2})?\Z").filter(str.isascii),
    st.sampled_from(['"NaN"', '"Infinity"', '"-Infinity"']),
)
KEYS = st.sampled_from(["loss", "train/loss", "a b", "eval:acc", "x.y-z_0", "k" * 250]).map(text)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).map(text)


def model(number: int) -> SearchStrategy[list[tuple[str, Node]]]:
    """No model, or one, with or without a dataset."""
    names = [(text("model_id"), text(f"m-{number}"))]
    dataset = [(text("dataset_name"), text("dé")), (text("dataset_digest"), text("1a"))]
    return st.sampled_from([[], names, names + dataset])


@composite
def metric(draw: DrawFn, number: int = 0) -> Node:
    """A metric of a batch; with another number, it is of another model. Java sends integers as strings."""
    integers = draw(st.sampled_from([INTEGERS, INTEGERS, INTEGERS.map(text)]))
    fields = [(text("key"), draw(KEYS)), (text("value"), draw(DOUBLES)), (text("timestamp"), draw(integers))]
    if draw(st.booleans()):
        fields.append((text("step"), draw(integers)))
    if draw(st.booleans()):
        fields.append((text("run_id"), text(RUN)))
    return tuple(fields + draw(model(number)))


@composite
def pairs(draw: DrawFn) -> Node:
    """Params or tags, no key twice."""
    keys = draw(st.lists(KEYS, max_size=3, unique=True))
    return [((text("key"), key), (text("value"), draw(TEXTS))) for key in keys]


@composite
def log_metric(draw: DrawFn) -> Node:
    """A body of log-metric."""
    names = draw(st.sampled_from([["run_uuid", "run_id"], ["run_id"], ["run_uuid"]]))
    rest = [pair for pair in draw(metric()) if pair[0] != text("run_id")]
    return tuple(draw(st.permutations([*((text(name), text(RUN)) for name in names), *rest])))


@composite
def log_batch(draw: DrawFn) -> Node:
    """A body of log-batch that writes something."""
    metrics = [draw(metric(number)) for number in range(draw(st.integers(0, 3)))]
    params, tags = draw(pairs()), draw(pairs())
    if not metrics and not params and not tags:
        metrics = [draw(metric())]
    fields = [(text("metrics"), metrics), (text("params"), params), (text("tags"), tags)]
    return ((text("run_id"), text(RUN)), *(field for field in fields if field[1]))


BODIES = {"log_metric": log_metric(), "log_batch": log_batch()}
SPACES = st.sampled_from(["", " ", "\n  ", "\r\n\t"])

_METRIC = '"key":"k","value":1,"timestamp":2,"step":3'
_MODEL = '"model_id":"m","dataset_name":"d","dataset_digest":"e"'
_METRICS = f'{{{_METRIC}}},{{{_METRIC},"run_id":"{RUN}",{_MODEL}}}'
_PAIRS = '[{"key":"k","value":"1"},{"key":"l","value":"2"}]'
FULL = {
    "log_metric": [
        f'{{"run_uuid":"{RUN}","run_id":"{RUN}",{_METRIC},{_MODEL}}}',
        f'{{"run_uuid":"{RUN}",{_METRIC}}}',
        f'{{"run_id":"{RUN}",{_METRIC}}}',
    ],
    "log_batch": [f'{{"run_id":"{RUN}","metrics":[{_METRICS}],"params":{_PAIRS},"tags":{_PAIRS}}}'],
}
"""Bodies with every field."""


def to_node(document: str) -> Node:
    """Parse a plain document into nodes."""

    def convert(value: Any) -> Node:
        if isinstance(value, list):
            return [convert(item) for item in value]
        return value if isinstance(value, tuple) else json.dumps(value)

    def pairs_hook(pairs: list[tuple[str, Any]]) -> Node:
        return tuple((text(name), convert(value)) for name, value in pairs)

    return json.loads(document, object_pairs_hook=pairs_hook)


# --- bent bodies ---


def bent_once(node: Node) -> Iterator[Node]:
    """``node`` with each odd token in each place, and each odd name for each field and beside it."""
    yield from ODD_TOKENS
    if isinstance(node, str):
        return
    for i, item in enumerate(node):
        before, after = node[:i], node[i + 1 :]
        if isinstance(node, list):
            yield [*before, *after]
            yield [*node, item]
            for new in bent_once(item):
                yield [*before, new, *after]
        else:
            token, value = item
            yield (*before, *after)
            yield (*before, *after, item)
            for name in map(text, ODD_NAMES):
                yield (*before, (name, value), *after)
                yield (*node, (name, value))
            for new in bent_once(value):
                yield (*before, (token, new), *after)


ODD = st.sampled_from(ODD_TOKENS)
JSON_VALUES: SearchStrategy[Node] = st.recursive(
    ODD | DOUBLES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(TEXTS, inner), max_size=3).map(tuple),
    max_leaves=6,
)
DEEP = st.sampled_from([10, 99, 101, 2000]).map(lambda depth: "[" * depth + "]" * depth)


@composite
def bent(draw: DrawFn, node: Node) -> Node:
    """``node`` with one thing changed somewhere in it."""
    if isinstance(node, str) or not node or draw(st.integers(0, 19)) == 0:
        return draw(ODD | JSON_VALUES | DEEP)
    i = draw(st.integers(0, len(node) - 1))
    before, after = node[:i], node[i + 1 :]
    if isinstance(node, list):
        change = draw(st.sampled_from(["bend", "bend", "twice", "odd"]))
        items = {"bend": [draw(bent(node[i]))], "twice": [node[i]] * 2, "odd": [node[i], draw(JSON_VALUES)]}
        return [*before, *items[change], *after]
    token, value = node[i]
    change = draw(st.sampled_from(["bend", "bend", "drop", "twice", "rename", "move"]))
    fields = {
        "bend": [(token, draw(bent(value)))],
        "drop": [],
        "twice": [(token, draw(bent(value))), (token, value)],
        "rename": [(draw(st.sampled_from(ODD_NAMES).map(text)), value)],
        "move": [],
    }
    end = [(token, value)] if change == "move" else []
    return (*before, *fields[change], *after, *end)


@composite
def bodies(draw: DrawFn, endpoint: str) -> bytes:
    """A body of ``endpoint`` with one change or some, encoded in one way or another."""
    node = draw(BODIES[endpoint])
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        node = draw(bent(node))
    document = render(node, draw(SPACES))
    raw = encode(document)
    if draw(st.integers(0, 4)):
        return raw
    return draw(strangely_encoded(document, raw))


@composite
def strangely_encoded(draw: DrawFn, document: str, raw: bytes) -> bytes:
    """A document in another encoding, or ``raw`` with bytes that do not belong."""
    cut = draw(st.integers(0, len(raw)))
    byte = draw(
        st.sampled_from(
            [b"\0", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xc3", b"\x0b", b'"', b"\\", b",", b"}"]
        )
    )
    encodings = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")
    return draw(
        st.sampled_from(
            [
                b"\xef\xbb\xbf" + raw,
                *(document.encode(encoding, "surrogatepass") for encoding in encodings),
                json.dumps(document).encode(),
                json.dumps(json.dumps(document)).encode(),
                b"[" + raw + b"]",
                raw + raw,
                raw + byte,
                byte + raw,
                raw[:cut],
                raw[:cut] + byte + raw[cut:],
                raw[:cut] + byte + raw[cut + 1 :],
            ]
        )
    )
