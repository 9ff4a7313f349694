"""``runs/log-inputs`` and ``runs/outputs``: bodies good and odd, put to both servers; answers and rows are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count

import pytest

from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Pair
from tests.parity.test_create_run import assert_rows_alike
from tests.parity.writes import add_run, new_ids
from tests.support.http import Request

Body = Mapping[str, object]

_numbers = count()


def dataset(tags: object = ..., **fields: object) -> dict[str, object]:
    """A data set that no case has used before; ``...`` takes a field away."""
    whole = {"name": f"d{next(_numbers)}", "digest": "1", "source_type": "local", "source": "{}", **fields}
    inner = {"dataset": {name: value for name, value in whole.items() if value is not ...}}
    return inner if tags is ... else {**inner, "tags": tags}


def tag(key: object = "mlflow.data.context", value: object = "training") -> dict[str, object]:
    """A tag of a use."""
    return {"key": key, "value": value}


SAME = dataset(tags=[tag()])
AGAIN = dataset(schema="[]", profile="{}")

INPUTS: dict[str, tuple[Body, ...]] = {
    "a data set": ({"datasets": [dataset(tags=[tag(), tag("a", "b")])]},),
    "the same again": ({"datasets": [SAME]}, {"datasets": [SAME]}, {"datasets": [SAME, dataset()]}),
    "the same of another run": ({"datasets": [SAME], "run_id": "$other"},),
    "twice in one body": ({"datasets": [AGAIN, AGAIN, dataset()]},),
    "names and digests crossed": (
        {"datasets": [dataset(name="x", digest="1"), dataset(name="y", digest="2")]},
        {"datasets": [dataset(name="x", digest="2"), dataset(name="y", digest="1")]},
    ),
    "schema and profile": ({"datasets": [dataset(schema="größe", profile="")]},),
    "null schema": ({"datasets": [dataset(schema=None, profile=None)]},),
    "no name": ({"datasets": [dataset(name=...)]},),
    "an empty digest": ({"datasets": [dataset(digest="")]},),
    "a long name": ({"datasets": [dataset(name="n" * 501)]},),
    "a long digest": ({"datasets": [dataset(digest="n" * 37)]},),
    "a long source": ({"datasets": [dataset(source="n" * 65_536)]},),
    "NUL": ({"datasets": [dataset(source="a\0b")]},),
    "a tag twice": ({"datasets": [dataset(tags=[tag(), tag()])]},),
    "a long tag": ({"datasets": [dataset(tags=[tag(value="v" * 501)])]},),
    "no data set": ({"datasets": [{"tags": []}]},),
    "a model": ({"models": [{"model_id": "$model"}]}, {"models": [{"model_id": "$model"}]}),
    "a model twice": ({"models": [{"model_id": "$model"}, {"model_id": "$model"}]},),
    "an unknown model": ({"models": [{"model_id": "absent"}]},),
    "data sets and models": ({"datasets": [dataset()], "models": [{"model_id": "$model"}]},),
    "nothing": ({},),
    "an unknown field": ({"datasets": [dataset()], "extra": 1},),
    "an absent run": ({"datasets": [dataset()], "run_id": "0" * 32},),
    "no list": ({"datasets": dataset()},),
}

OUTPUTS: dict[str, tuple[Body, ...]] = {
    "a model": ({"models": [{"model_id": "$model", "step": 3}]},),
    "without a step": ({"models": [{"model_id": "$model"}]},),
    "a step in a text": ({"models": [{"model_id": "$model", "step": "-7"}]},),
    "a fraction": ({"models": [{"model_id": "$model", "step": 1.5}]},),
    "the same again": ({"models": [{"model_id": "$model", "step": 1}]}, {"models": [{"model_id": "$model", "step": 2}]}),
    "two": ({"models": [{"model_id": "$model", "step": 1}, {"model_id": "m-2", "step": 1}]},),
    "nothing": ({"models": []},),
    "no models": ({},),
    "an absent run": ({"models": [{"model_id": "$model"}], "run_id": "0" * 32},),
}


def put(pair: Pair, route: str, case: str, bodies: tuple[Body, ...]) -> None:
    """Send ``bodies`` for a new run to both servers, and fail where an answer or a row differs."""
    ids = new_ids()
    for uri in pair.uris:
        add_run(uri, ids, "active")
    for body in bodies:
        text = json.dumps({"run_id": "$run", **body})
        for name, value in ids.items():
            text = text.replace(f"${name}", value)
        path = f"/api/2.0/mlflow/runs/{route}"
        exchange = pair.ask(Request("POST", path, {"Content-Type": "application/json"}, text.encode()), path, case)
        found = unlisted(exchange.findings, ROUTES)
        assert not found, "\n".join([text, *map(str, found)])
    assert_rows_alike(pair, "datasets", "inputs", "input_tags")


@pytest.mark.parametrize("case", INPUTS)
def test_log_inputs(write_pair: Pair, case: str) -> None:
    put(write_pair, "log-inputs", case, INPUTS[case])


@pytest.mark.parametrize("case", OUTPUTS)
def test_outputs(write_pair: Pair, case: str) -> None:
    put(write_pair, "outputs", case, OUTPUTS[case])
