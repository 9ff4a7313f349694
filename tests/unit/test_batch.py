"""``kernels.batch``: both twins, under the same tests."""

from __future__ import annotations

import importlib
import struct
from types import ModuleType
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mlflow_accel import _impl
from mlflow_accel.handlers.bodies import Metric, Pair
from mlflow_accel.kernels import _batch_common as common
from mlflow_accel.kernels import _batch_py
from mlflow_accel.kernels.batch import Batch

RUN = "0123456789abcdef" * 2
MAX_INT = 2**63 - 1
MAX_DOUBLE = 1.7976931348623157e308


def _compiled() -> ModuleType:
    if not _impl.COMPILED:
        pytest.skip("needs the compiled twin: build it, and do not set MLFLOW_ACCEL_IMPL=python")
    return importlib.import_module("mlflow_accel.kernels._batch_c")


@pytest.fixture(params=["python", "compiled"])
def twin(request: pytest.FixtureRequest) -> Any:
    """Each implementation of the kernel."""
    return _batch_py if request.param == "python" else _compiled()


def metric(key: str = "loss", value: Any = 0.5, timestamp: Any = 1, step: Any = 0, **texts: str) -> Metric:
    return Metric(key, value, timestamp, step, **texts)


def model_metric(**changes: Any) -> Metric:
    return metric(**({"model_id": "m-1", "dataset_name": "d", "dataset_digest": "1"} | changes))


def as_tuple(batch: Batch | None) -> tuple[Any, ...] | None:
    """All fields, with floats as bits, so that 0.0 and -0.0 differ."""
    if batch is None:
        return None
    fields = {name: getattr(batch, name) for name in Batch.__slots__}
    assert all(type(value) is float for value in batch.values)
    assert all(type(nan) is bool for nan in batch.nans)
    assert all(type(number) is int for number in batch.timestamps + batch.steps)
    fields["values"] = [struct.pack("<d", value) for value in batch.values]
    return tuple(fields.items())


class TestColumns:
    def test_metrics_become_columns(self, twin: Any) -> None:
        batch = twin.columns(
            RUN,
            [metric("a", 1, 2, 3), metric("b/c", -0.0, "4", "-5", run_id=RUN), metric("a", "NaN", 0)],
            [],
            [],
        )
        assert batch.run_id == RUN
        assert batch.keys == ["a", "b/c", "a"]
        assert [struct.pack("<d", value) for value in batch.values] == [
            struct.pack("<d", v) for v in (1, -0.0, 0)
        ]
        assert batch.timestamps == [2, 4, 0]
        assert batch.steps == [3, -5, 0]
        assert batch.nans == [False, False, True]
        assert batch.model_ids is batch.dataset_names is batch.dataset_digests is None
        assert batch.params == batch.tags == []
        assert batch.rows == 3

    def test_params_and_tags_keep_their_order(self, twin: Any) -> None:
        batch = twin.columns(RUN, [], [Pair("b", ""), Pair("a", "é")], [Pair("z", "1"), Pair("a", "2")])
        assert batch.params == [("b", ""), ("a", "é")]
        assert batch.tags == [("z", "1"), ("a", "2")]
        assert batch.keys == []
        assert batch.rows == 4

    def test_models_are_columns_too_once_a_metric_names_one(self, twin: Any) -> None:
        plain = metric("a", dataset_name="ignored", dataset_digest="0")
        batch = twin.columns(RUN, [plain, model_metric(), metric(step=1), metric(model_id="m-2")], [], [])
        assert batch.model_ids == [None, "m-1", None, "m-2"]
        assert batch.dataset_names == [None, "d", None, None]
        assert batch.dataset_digests == [None, "1", None, None]
        assert batch.rows == 6

    @pytest.mark.parametrize(
        ("value", "stored", "nan"),
        [
            ("NaN", 0.0, True),
            ("Infinity", MAX_DOUBLE, False),
            ("-Infinity", -MAX_DOUBLE, False),
            (MAX_DOUBLE, MAX_DOUBLE, False),
            (5e-324, 5e-324, False),
            (2**53 + 1, 9007199254740992.0, False),
            (10**308, 1e308, False),
        ],
    )
    def test_values(self, twin: Any, value: Any, stored: float, nan: bool) -> None:
        batch = twin.columns(RUN, [metric(value=value)], [], [])
        assert (batch.values, batch.nans) == ([stored], [nan])

    @pytest.mark.parametrize("number", [0, 1, MAX_INT, "0", "007", str(MAX_INT)])
    def test_integers(self, twin: Any, number: int | str) -> None:
        batch = twin.columns(RUN, [metric(timestamp=number, step=number)], [], [])
        assert batch.timestamps == batch.steps == [int(number)]

    @pytest.mark.parametrize(
        "changes",
        [
            {"value": float("inf")},
            {"value": float("nan")},
            {"value": 10**309},
            {"value": "nan"},
            {"value": "1.5"},
            {"value": ""},
            {"timestamp": -1},
            {"timestamp": "-1"},
            {"timestamp": MAX_INT + 1},
            {"timestamp": str(MAX_INT + 1)},
            {"timestamp": ""},
            {"timestamp": "-"},
            {"timestamp": "1" * 20},
            {"step": -(2**63) - 1},
            {"step": 2**64},
            {"step": "+1"},
            {"step": "1_0"},
            {"step": " 1"},
            {"step": "1\n"},
            {"step": "\u0661"},
            {"step": "1.0"},
            {"run_id": "f" * 32},
            {"dataset_name": "d"},
            {"dataset_digest": "1"},
            {"model_id": "m" * 37},
            {"model_id": "m\0"},
            {"model_id": "m", "dataset_name": "n" * 501, "dataset_digest": "1"},
            {"model_id": "m", "dataset_name": "n", "dataset_digest": "1" * 37},
            {"model_id": "m", "dataset_name": "n\0", "dataset_digest": "1"},
            {"model_id": "m", "dataset_name": "n", "dataset_digest": "\0"},
        ],
        ids=str,
    )
    def test_an_odd_metric_declines_the_batch(self, twin: Any, changes: dict[str, Any]) -> None:
        assert twin.columns(RUN, [metric()], [], []) is not None
        assert twin.columns(RUN, [metric(), metric(**changes)], [], []) is None

    @pytest.mark.parametrize(
        "run_id", ["", RUN[:-1], RUN + "0", RUN.upper(), RUN[:-1] + "g", RUN[:-1] + "\n", RUN[:-1] + "\u0660"]
    )
    def test_an_odd_run_id_is_declined(self, twin: Any, run_id: str) -> None:
        assert twin.columns(run_id, [metric()], [], []) is None

    @pytest.mark.parametrize(
        "key",
        ["a", "a/b", "a/..b", "a/...", ".a", "a.", " ", "-", "a:b", "A_z 0/9.-", "k" * 250, "a/ /b"],
    )
    def test_plain_keys(self, twin: Any, key: str) -> None:
        assert twin.columns(RUN, [metric(key)], [Pair(key, "")], [Pair(key, "")]) is not None

    @pytest.mark.parametrize(
        "key",
        ["", ".", "..", "..a", "...", "/", "/a", "a/", "a//b", "./a", "a/.", "a/./b", "a/..", "a/../b"]
        + ["a$", "a\n", "a\t", "a\0", "a\\b", "é", "a\u0660", "\U0001f600", "k" * 251],
    )
    def test_odd_keys_are_declined(self, twin: Any, key: str) -> None:
        assert twin.columns(RUN, [metric(key)], [], []) is None
        assert twin.columns(RUN, [], [Pair(key, "")], []) is None
        assert twin.columns(RUN, [], [], [Pair(key, "")]) is None

    def test_lengths_are_counted_in_characters(self, twin: Any) -> None:
        assert twin.columns(RUN, [], [Pair("k", "\U0001f600" * 6000)], [Pair("k", "é" * 8000)]) is not None
        assert twin.columns(RUN, [], [Pair("k", "v" * 6001)], []) is None
        assert twin.columns(RUN, [], [], [Pair("k", "v" * 8001)]) is None

    @pytest.mark.parametrize("value", ["\0", "a\0b", "é\0", "\U0001f600\0"])
    def test_no_text_has_a_nul(self, twin: Any, value: str) -> None:
        assert twin.columns(RUN, [], [Pair("k", value)], []) is None
        assert twin.columns(RUN, [], [], [Pair("k", value)]) is None

    def test_a_key_twice_is_declined(self, twin: Any) -> None:
        twice = [Pair("k", "1"), Pair("k", "1")]
        assert twin.columns(RUN, [], twice, []) is None
        assert twin.columns(RUN, [], [], twice) is None
        assert twin.columns(RUN, [metric("k"), metric("k")], twice[:1], twice[:1]) is not None

    def test_a_row_of_a_model_twice_is_declined(self, twin: Any) -> None:
        assert twin.columns(RUN, [model_metric(), model_metric(value=2.0)], [], []) is None
        assert twin.columns(RUN, [model_metric(), model_metric(timestamp="1")], [], []) is None
        assert twin.columns(RUN, [model_metric(), model_metric(step=1)], [], []) is not None

    def test_a_tag_that_renames_the_run_is_declined(self, twin: Any) -> None:
        assert twin.columns(RUN, [metric()], [], [Pair("mlflow.runName", "x")]) is None
        assert twin.columns(RUN, [metric("mlflow.runName")], [Pair("mlflow.runName", "x")], []) is not None

    @pytest.mark.parametrize(
        ("metrics", "params", "tags", "plain"),
        [
            (0, 0, 0, False),
            (1000, 0, 0, True),
            (1001, 0, 0, False),
            (0, 100, 100, True),
            (0, 101, 0, False),
            (0, 0, 101, False),
            (900, 100, 0, True),
            (900, 50, 51, False),
        ],
    )
    def test_sizes(self, twin: Any, metrics: int, params: int, tags: int, plain: bool) -> None:
        def pairs(count: int) -> list[Pair]:
            return [Pair(f"k{i}", "v") for i in range(count)]

        batch = twin.columns(RUN, [metric(step=i) for i in range(metrics)], pairs(params), pairs(tags))
        assert (batch is not None) is plain

    def test_nothing_but_lists_of_texts_is_followed(self, twin: Any) -> None:
        # Out of the contract, but never a crash.
        for odd in (Metric(None, 1.0, 1), Metric("k", None, 1), Metric("k", 1.0, None)):  # type: ignore[arg-type]
            with pytest.raises((TypeError, AttributeError)):
                twin.columns(RUN, [odd], [], [])
        with pytest.raises((TypeError, AttributeError)):
            twin.columns(RUN, [None], [], [])
        with pytest.raises(TypeError):
            twin.columns(None, [metric()], [], [])


class TestNewest:
    def test_one_position_for_each_run_and_key_sorted(self, twin: Any) -> None:
        runs = ["b", "b", "a", "b", "a"]
        keys = ["y", "x", "z", "y", "k"]
        assert twin.newest(runs, keys, [1.0] * 5, [1] * 5, [0, 0, 0, 1, 0]) == [4, 2, 1, 3]

    @pytest.mark.parametrize(
        ("first", "second", "winner"),
        [
            ((0, 9, 9.0), (1, 0, 0.0), 1),
            ((0, 1, 9.0), (0, 2, 0.0), 1),
            ((0, 1, 1.0), (0, 1, 2.0), 1),
            ((0, 1, 1.0), (0, 1, 1.0), 0),
            ((0, 1, 0.0), (0, 1, -0.0), 0),
            ((-1, 1, 1.0), (-2, 2, 2.0), 0),
            ((-(2**63), MAX_INT, 1.0), (MAX_INT, 0, 0.0), 1),
        ],
    )
    def test_newer_is_a_greater_step_then_timestamp_then_value(
        self, twin: Any, first: tuple[int, int, float], second: tuple[int, int, float], winner: int
    ) -> None:
        steps, timestamps, values = (list(column) for column in zip(first, second, strict=True))
        assert twin.newest(["r", "r"], ["k", "k"], values, timestamps, steps) == [winner]

    def test_nothing(self, twin: Any) -> None:
        assert twin.newest([], [], [], [], []) == []

    @settings(max_examples=300)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "ab"]),
                st.sampled_from(["x", "y", "x/y", "X"]),
                st.sampled_from([0.0, -0.0, 1.5, -MAX_DOUBLE]),
                st.integers(0, 2),
                st.integers(-1, 1),
            )
        )
    )
    def test_like_a_scan_of_each_key(
        self, twin_pair: Any, rows: list[tuple[str, str, float, int, int]]
    ) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(5)]
        expected = []
        for pair in sorted({row[:2] for row in rows}):
            positions = [i for i, row in enumerate(rows) if row[:2] == pair]
            expected.append(max(positions, key=lambda i: (rows[i][4], rows[i][3], rows[i][2])))
        for implementation in twin_pair:
            assert implementation.newest(*columns) == expected


@pytest.fixture(scope="module")
def twin_pair() -> tuple[Any, Any]:
    """Both implementations, for tests that compare them over generated cases."""
    return _batch_py, _compiled()


odd_text = st.text(alphabet=st.sampled_from("ab./ -:_0\n$\0é\U0001f600"), max_size=8)
key_text = st.sampled_from(["k", "k/b", "loss"]) | odd_text
value_text = odd_text.map(lambda text: text.replace("\0", "")) | odd_text
big_integer = st.integers(-(2**64), 2**64)
integer = st.one_of(
    st.integers(0, 2), st.integers(0, MAX_INT).map(str), big_integer, big_integer.map(str), odd_text
)
number = (
    st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.sampled_from(["NaN", "Infinity"])
)
odd_number = st.sampled_from(["-Infinity", "", 1e400, float("nan")]) | st.integers(10**307, 10**310)
plain_metric = st.builds(metric, st.sampled_from("kl"), number, st.integers(0, 3), st.integers(-1, 1))
plain_model_metric = st.builds(model_metric, model_id=st.sampled_from("mn"), step=st.integers(0, 99))
odd_metric = st.builds(
    Metric,
    key_text,
    number | odd_number,
    integer,
    integer,
    st.sampled_from(["", RUN]),
    *[st.just("") | value_text] * 3,
)
plain_metrics = st.lists(plain_metric | plain_model_metric, max_size=4)
metrics = plain_metrics | st.tuples(plain_metrics, odd_metric).map(lambda pair: [*pair[0], pair[1]])
plain_pairs = st.dictionaries(st.sampled_from("klm"), st.text("aé", max_size=2)).map(
    lambda pairs: [Pair(key, value) for key, value in pairs.items()]
)
pairs = plain_pairs | plain_pairs | st.lists(st.builds(Pair, key_text, value_text), max_size=2)


@settings(max_examples=2000)
@given(metrics, pairs, pairs)
def test_the_twins_agree(
    twin_pair: tuple[Any, Any], metrics: list[Metric], params: list[Pair], tags: list[Pair]
) -> None:
    plain, compiled = (as_tuple(twin.columns(RUN, metrics, params, tags)) for twin in twin_pair)
    event("declined" if plain is None else "accepted")
    assert plain == compiled


class TestAgainstUpstream:
    """The limits and the key rule that the kernel restates are upstream's."""

    def test_limits(self) -> None:
        from mlflow.store.tracking.dbmodels.models import SqlLoggedModelMetric
        from mlflow.utils import validation
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

        columns = SqlLoggedModelMetric.__table__.columns
        assert common.MAX_METRICS == validation.MAX_METRICS_PER_BATCH
        assert common.MAX_PARAMS == common.MAX_TAGS == validation.MAX_PARAMS_TAGS_PER_BATCH
        assert common.MAX_ENTITIES == validation.MAX_ENTITIES_PER_BATCH
        assert common.MAX_KEY == validation.MAX_ENTITY_KEY_LENGTH
        assert common.MAX_PARAM_VALUE == validation.MAX_PARAM_VAL_LENGTH
        assert common.MAX_TAG_VALUE == validation.MAX_TAG_VAL_LENGTH
        assert common.MAX_MODEL_ID == columns["model_id"].type.length
        assert common.MAX_DATASET_NAME == columns["dataset_name"].type.length
        assert common.MAX_DATASET_DIGEST == columns["dataset_digest"].type.length
        assert common.RUN_NAME_TAG == MLFLOW_RUN_NAME

    @settings(max_examples=1000)
    @given(st.text(alphabet=st.sampled_from("a0_./ -:$\n"), max_size=9))
    def test_keys(self, twin_pair: tuple[Any, Any], key: str) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.utils.validation import _validate_metric_name

        try:
            _validate_metric_name(key)  # type: ignore[no-untyped-call]
            # The two that upstream's rule lets through, and its handler or a client does not mean.
            plain = key != "" and not key.endswith("\n")
        except MlflowException:
            plain = False
        for implementation in twin_pair:
            assert (implementation.columns(RUN, [metric(key)], [], []) is not None) is plain
