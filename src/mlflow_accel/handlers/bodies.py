"""The request bodies that are understood, as types.

A body with another field, another type or a null is not one of these, and is declined. Plain, because mypyc cannot
compile classes of msgspec's metaclass.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


class Metric(Struct, forbid_unknown_fields=True, gc=False):
    """One metric of a batch; the timestamp is in ms since the epoch. Java's client sends integers as strings."""

    key: str
    value: int | float | str  # NaN and the infinities are strings
    timestamp: int | str
    step: int | str = 0
    run_id: str = ""
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class Pair(Struct, forbid_unknown_fields=True, gc=False):
    """One param or tag of a batch."""

    key: str
    value: str


class LogMetric(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/log-metric``: a metric with its run, under one of two names or both."""

    key: str
    value: int | float | str
    timestamp: int | str
    step: int | str = 0
    run_id: str | UnsetType = UNSET
    run_uuid: str = ""
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogBatch(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/log-batch``."""

    run_id: str
    metrics: list[Metric] = []
    params: list[Pair] = []
    tags: list[Pair] = []
