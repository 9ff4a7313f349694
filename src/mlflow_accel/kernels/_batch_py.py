"""The plain twin of ``_batch_c``, and its specification."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from mlflow_accel.kernels._batch_common import (
    MAX_DATASET_DIGEST,
    MAX_DATASET_NAME,
    MAX_ENTITIES,
    MAX_KEY,
    MAX_METRICS,
    MAX_MODEL_ID,
    MAX_PARAM_VALUE,
    MAX_PARAMS,
    MAX_TAG_VALUE,
    MAX_TAGS,
    MAX_VALUE,
    RUN_NAME_TAG,
    Batch,
    Metric,
    Pair,
)

# A path that normalises to itself and stays below where it starts: no empty part, no part "." or "..". Upstream
# refuses every name that begins with two dots.
_PART = r"(?!\.\.?(?:/|\Z))[A-Za-z0-9_.\- :]+"
_KEY = re.compile(rf"(?!\.\.){_PART}(?:/{_PART})*\Z")
# What upstream gives a run. MySQL would find a run by its id in capitals, too, and store the capitals.
_RUN_ID = re.compile(r"[0-9a-f]{32}\Z")
_DIGITS = re.compile(r"-?[0-9]{1,19}\Z")
_NOT_FINITE = {"NaN": (0.0, True), "Infinity": (MAX_VALUE, False), "-Infinity": (-MAX_VALUE, False)}


def _is_key(text: str) -> bool:
    return len(text) <= MAX_KEY and _KEY.match(text) is not None


def is_text(text: str, limit: int) -> bool:
    """Return whether every database stores ``text`` as it is: without NUL, of at most ``limit`` characters."""
    return len(text) <= limit and "\0" not in text


def is_run_id(text: str) -> bool:
    """Return whether ``text`` is an id as upstream gives them to runs."""
    return _RUN_ID.match(text) is not None


def int64(number: int | str) -> int | None:
    """Return an integer of 64 bits, which Java's client sends as a text, or None where it is not one."""
    if isinstance(number, str):
        if _DIGITS.match(number) is None:
            return None
        number = int(number)
    return number if -(2**63) <= number < 2**63 else None


def _double(number: float | str) -> tuple[float, bool] | None:
    """Return the value as it is stored, and whether it stands for a NaN."""
    if isinstance(number, str):
        return _NOT_FINITE.get(number)
    try:
        value = float(number)
    except OverflowError:
        return None
    return (value, False) if isfinite(value) else None


def plain_pairs(pairs: list[Any], count: int, limit: int) -> list[tuple[str, str]] | None:
    """Return what a client sent as ``(key, value)``, or None unless all of it is plain: see :func:`columns`.

    There may be ``count`` of them at most, with values of ``limit`` characters.
    """
    if len(pairs) > count:
        return None
    found: dict[str, str] = {}
    for pair in pairs:
        key, value = pair.key, pair.value
        if not _is_key(key) or not is_text(value, limit) or key in found:
            return None
        found[key] = value
    return list(found.items())


def columns(run_id: str, metrics: list[Metric], params: list[Pair], tags: list[Pair]) -> Batch | None:
    """Check what a client sent for a run and return it as columns, or None unless all of it is plain.

    Plain is what every database stores as it was sent, without truncation or an effect elsewhere: ASCII keys,
    numbers in range, lengths within limits, no key twice where one row would win.
    """
    if not is_run_id(run_id):
        return None
    if not 0 < len(metrics) + len(params) + len(tags) <= MAX_ENTITIES or len(metrics) > MAX_METRICS:
        return None
    param_pairs = plain_pairs(params, MAX_PARAMS, MAX_PARAM_VALUE)
    tag_pairs = plain_pairs(tags, MAX_TAGS, MAX_TAG_VALUE)
    if param_pairs is None or tag_pairs is None or any(key == RUN_NAME_TAG for key, _ in tag_pairs):
        return None

    keys: list[str] = []
    values: list[float] = []
    timestamps: list[int] = []
    steps: list[int] = []
    nans: list[bool] = []
    model_ids: list[str | None] = []
    dataset_names: list[str | None] = []
    dataset_digests: list[str | None] = []
    model_rows: set[tuple[str, str, int, int]] = set()
    for metric in metrics:
        key = metric.key
        double = _double(metric.value)
        timestamp = int64(metric.timestamp)
        step = int64(metric.step)
        if not _is_key(key) or double is None or timestamp is None or timestamp < 0 or step is None:
            return None
        if metric.run_id and metric.run_id != run_id:
            return None
        model_id, name, digest = metric.model_id, metric.dataset_name, metric.dataset_digest
        if bool(name) != bool(digest) or not (
            is_text(model_id, MAX_MODEL_ID)
            and is_text(name, MAX_DATASET_NAME)
            and is_text(digest, MAX_DATASET_DIGEST)
        ):
            return None
        if model_id:
            row = (model_id, key, timestamp, step)
            if row in model_rows:
                return None
            model_rows.add(row)
        keys.append(key)
        values.append(double[0])
        timestamps.append(timestamp)
        steps.append(step)
        nans.append(double[1])
        model_ids.append(model_id or None)
        dataset_names.append((name or None) if model_id else None)
        dataset_digests.append((digest or None) if model_id else None)
    return Batch(
        run_id,
        keys,
        values,
        timestamps,
        steps,
        nans,
        model_ids if model_rows else None,
        dataset_names if model_rows else None,
        dataset_digests if model_rows else None,
        param_pairs,
        tag_pairs,
    )


def newest(
    run_ids: list[str], keys: list[str], values: list[float], timestamps: list[int], steps: list[int]
) -> list[int]:
    """Return the position of the newest metric of each run and key, sorted by run and key.

    Newer is a greater (step, timestamp, value); of equals, the first stays. The columns are parallel, as in
    :class:`Batch`: no NaN, and integers within 64 bits.
    """
    best: dict[tuple[str, str], int] = {}
    for i, pair in enumerate(zip(run_ids, keys, strict=True)):
        j = best.get(pair)
        if j is None or (steps[i], timestamps[i], values[i]) > (steps[j], timestamps[j], values[j]):
            best[pair] = i
    return [best[pair] for pair in sorted(best)]
