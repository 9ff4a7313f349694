"""What is timed: kernels, handlers, and what one would write with the standard library."""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import Any

SIZES = (1, 10, 100, 1000)
"""Metrics of a request; 1 is a log-metric."""

RUN = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Form:
    """One way of running the cases, in a process of its own."""

    name: str
    implementation: str
    """MLFLOW_ACCEL_IMPL of that process."""
    cases: Callable[[], dict[str, Callable[[], object]]]
    """Called in that process; returns callables by ``case/size``."""


@dataclass(frozen=True)
class Comparison:
    """Two forms of one case, of which the first should win."""

    title: str
    case: str
    form: str
    against: str


class Store:
    """Writes nothing."""

    def write(self, batch: object) -> str:
        """Answer as after a commit."""
        return "fast"


def body(size: int) -> bytes:
    """What MLflow's client sends for ``size`` metrics."""

    def metric(i: int) -> dict[str, Any]:
        return {"key": f"train/metric_{i}", "value": i * 0.37, "timestamp": 1_700_000_000_000 + i, "step": i}

    if size == 1:
        return json.dumps({"run_uuid": RUN, **metric(1), "run_id": RUN}).encode()
    return json.dumps({"metrics": [metric(i) | {"run_id": RUN} for i in range(size)], "run_id": RUN}).encode()


def kernels() -> dict[str, Callable[[], object]]:
    """The kernels, on decoded bodies."""
    from msgspec.json import decode

    from mlflow_accel.handlers.bodies import LogBatch, LogMetric
    from mlflow_accel.kernels import arrays
    from mlflow_accel.kernels.batch import columns, newest

    def cases(size: int) -> dict[str, Callable[[], object]]:
        metrics: list[Any]
        if size == 1:
            metric = decode(body(size), type=LogMetric)
            metric.run_id = RUN
            metrics = [metric]
        else:
            metrics = list(decode(body(size), type=LogBatch).metrics)
        batch = columns(RUN, metrics, [], [])
        assert batch is not None
        arguments = ([RUN] * size, batch.keys, batch.values, batch.timestamps, batch.steps)
        return {
            f"columns/{size}": lambda: columns(RUN, metrics, [], []),
            f"newest/{size}": lambda: newest(*arguments),
            f"texts/{size}": lambda: arrays.texts(batch.keys),
            f"int64s/{size}": lambda: arrays.int64s(batch.timestamps),
            f"doubles/{size}": lambda: arrays.doubles(batch.values),
        }

    return {name: case for size in SIZES for name, case in cases(size).items()}


POINTS = ("key", "value", "timestamp", "step")


def points(size: int) -> list[tuple[str, float, int, int]]:
    """Return rows of a metric's history."""
    return [("train/loss", 1 / (i + 3), 1_700_000_000_000 + i, i) for i in range(size)]


def rows() -> dict[str, Callable[[], object]]:
    """The kernel that writes rows as JSON: from Python's values, and from PostgreSQL's arrays in binary form."""
    from mlflow_accel.kernels.rows import Field, Kind, Shape, objects

    kinds = (Kind.TEXT, Kind.DOUBLE, Kind.INTEGER, Kind.INTEGER)
    point = tuple(Field(name, kind, i) for i, (name, kind) in enumerate(zip(POINTS, kinds, strict=True)))
    flat, nested = Shape(point), Shape((Field("metrics", Kind.LIST, 0, point),))

    def array(values: list[bytes]) -> bytes:
        items = b"".join(struct.pack(">i", len(value)) + value for value in values)
        return struct.pack(">iiIii", 1, 0, 0, len(values), 1) + items

    def cases(size: int) -> dict[str, Callable[[], object]]:
        found = points(size)
        binary = [
            array([row[0].encode() for row in found]),
            array([struct.pack(">d", row[1]) for row in found]),
            array([struct.pack(">q", row[2]) for row in found]),
            array([struct.pack(">q", row[3]) for row in found]),
        ]
        return {f"rows/{size}": lambda: objects(flat, found), f"arrays/{size}": lambda: objects(nested, [binary])}

    return {name: case for size in SIZES for name, case in cases(size).items()}


def rows_by(encode: Callable[[object], object]) -> dict[str, Callable[[], object]]:
    """The same rows as dicts, written by a library."""

    def case(size: int) -> Callable[[], object]:
        found = points(size)
        return lambda: encode([dict(zip(POINTS, row, strict=True)) for row in found])

    return {f"rows/{size}": case(size) for size in SIZES}


def rows_by_msgspec() -> dict[str, Callable[[], object]]:
    """The same by msgspec."""
    import msgspec

    return rows_by(msgspec.json.encode)


def handlers() -> dict[str, Callable[[], object]]:
    """The handlers, from the body to the store."""
    from mlflow_accel.handlers import metrics

    store = Store()

    def case(size: int) -> Callable[[], object]:
        handler, request = metrics.log_metric if size == 1 else metrics.log_batch, body(size)
        assert handler(request, store) == b"{}"
        return lambda: handler(request, store)

    return {f"handler/{size}": case(size) for size in SIZES}


def _groups(module: ModuleType) -> dict[str, Callable[[], object]]:
    from msgspec.json import decode

    from mlflow_accel.handlers.bodies import LogBatch
    from mlflow_accel.kernels.batch import columns
    from mlflow_accel.store.writes import RunRow

    def case(size: int) -> Callable[[], object]:
        runs = [f"{i:032x}" for i in range(20)]
        metrics = list(decode(body(size), type=LogBatch).metrics) if size > 1 else [metric_of(body(1))]
        members = []
        for run in runs:
            for metric in metrics:
                metric.run_id = run
            members.append(module.Member(columns(run, metrics, [], []), None))
        rows = {run: RunRow(run, 1) for run in runs}
        return lambda: module.collect(members, rows)

    return {f"group/{size}": case(size) for size in SIZES}


def metric_of(request: bytes) -> Any:
    """Return the decoded body of one metric."""
    from msgspec.json import decode

    from mlflow_accel.handlers.bodies import LogMetric

    return decode(request, type=LogMetric)


def groups() -> dict[str, Callable[[], object]]:
    """The columns of a group of 20 batches."""
    from mlflow_accel.store import columns

    return _groups(columns)


def plain_groups() -> dict[str, Callable[[], object]]:
    """The same as plain Python over compiled kernels: what mypyc adds is the difference."""
    from mlflow_accel import _impl

    name = "mlflow_accel.store.columns"
    loader = SourceFileLoader(name, str(_impl.PACKAGE / "store" / "columns.py"))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return _groups(module)


def standard_library() -> dict[str, Callable[[], object]]:
    """``json`` and a loop, with the checks that nobody would leave out."""
    key_pattern = re.compile(r"[/\w.\- :]{1,250}\Z", re.ASCII)

    def parse(request: bytes) -> tuple[str, list[list[Any]]] | None:
        message = json.loads(request)
        columns: list[list[Any]] = [[], [], [], []]
        for metric in message.get("metrics") or [message]:
            value, timestamp, step = metric["value"], metric["timestamp"], metric.get("step", 0)
            if key_pattern.match(metric["key"]) is None or not isinstance(value, (int, float)):
                return None
            if not isinstance(timestamp, int) or timestamp < 0 or not isinstance(step, int):
                return None
            for column, item in zip(columns, (metric["key"], float(value), timestamp, step), strict=True):
                column.append(item)
        return message["run_id"], columns

    def case(size: int) -> Callable[[], object]:
        request = body(size)
        assert parse(request) is not None
        return lambda: parse(request)

    return {f"handler/{size}": case(size) for size in SIZES}


FORMS = (
    Form("compiled", "compiled", lambda: kernels() | rows() | handlers() | groups()),
    Form("python", "python", lambda: kernels() | rows() | handlers() | groups()),
    Form("plain groups", "compiled", plain_groups),
    Form("json and a loop", "python", lambda: standard_library() | rows_by(json.dumps)),
    Form("msgspec", "python", rows_by_msgspec),
)
COMPARISONS = (
    Comparison("kernels/batch columns: Cython, twin", "columns", "compiled", "python"),
    Comparison("kernels/batch newest: Cython, twin", "newest", "compiled", "python"),
    Comparison("kernels/arrays texts: Cython, twin", "texts", "compiled", "python"),
    Comparison("kernels/arrays int64s: Cython, twin", "int64s", "compiled", "python"),
    Comparison("kernels/arrays doubles: Cython, twin", "doubles", "compiled", "python"),
    Comparison("kernels/rows from values: Cython, twin", "rows", "compiled", "python"),
    Comparison("kernels/rows from arrays: Cython, twin", "arrays", "compiled", "python"),
    Comparison("kernels/rows from values: ours, dicts and json", "rows", "compiled", "json and a loop"),
    Comparison("kernels/rows from values: ours, dicts and msgspec", "rows", "compiled", "msgspec"),
    Comparison("store/columns: mypyc, plain", "group", "compiled", "plain groups"),
    Comparison("handler and kernel: compiled, plain", "handler", "compiled", "python"),
    Comparison("handler and kernel: ours, json and a loop", "handler", "compiled", "json and a loop"),
)
