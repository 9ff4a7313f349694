"""The request bodies that are understood, as types.

A body with another field, another type or a null is not one of these, and is declined. Plain, because mypyc cannot
compile classes of msgspec's metaclass.
"""

from __future__ import annotations

from typing import Literal, Protocol

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


class OnePair(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/set-tag`` and ``runs/log-parameter``; the run is under one of two names or both."""

    key: str
    value: str = ""
    run_id: str | UnsetType = UNSET
    run_uuid: str = ""


class DeleteTag(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/delete-tag``."""

    run_id: str
    key: str


class CreateRun(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/create``; the time is in ms since the epoch."""

    experiment_id: str
    user_id: str = ""
    start_time: int | str = 0
    run_name: str = ""
    tags: list[Pair] = []


Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]


class UpdateRun(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/update``; the time is in ms since the epoch."""

    run_id: str | UnsetType = UNSET
    run_uuid: str = ""
    status: Status | None = None
    end_time: int | str | None = None
    run_name: str = ""


class RunOnly(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/delete`` and ``runs/restore``."""

    run_id: str


class SetExperimentTag(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST experiments/set-experiment-tag``."""

    experiment_id: str
    key: str
    value: str = ""


class NamesRun(Protocol):
    """A body that may name its run twice."""

    run_id: str | UnsetType
    run_uuid: str


def run_id_of(body: NamesRun) -> str | None:
    """Return the run that a body names, or None where it names two."""
    if body.run_id is UNSET:
        return body.run_uuid
    if body.run_uuid and body.run_uuid != body.run_id:
        return None
    return body.run_id


class SearchRuns(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST runs/search``."""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str = "ACTIVE_ONLY"
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str | None = None


class SearchExperiments(Struct, forbid_unknown_fields=True, gc=False):
    """The body of ``POST experiments/search``."""

    max_results: int
    page_token: str | None = None
    filter: str | None = None
    order_by: list[str] | None = None
    view_type: str = "ACTIVE_ONLY"
