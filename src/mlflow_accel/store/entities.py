"""What a caller in this process hands to the store's methods, as the kernels read it.

They read what a client sends: texts, integers and doubles of exactly those types, NaN and infinities as texts, ``""``
for what is absent. Anything else is None here, and the call is left to upstream's method.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from mlflow.entities import ExperimentTag as ExperimentTagEntity
from mlflow.entities import (
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
    RunTag,
)

from mlflow_accel.kernels.batch import Batch, columns, int64
from mlflow_accel.store import writes
from mlflow_accel.store.writes import (
    ExperimentTag,
    NewRun,
    RunUpdate,
    experiment_number,
    new_run,
    run_tag,
    run_update,
)

_STATUSES = {status: RunStatus.to_string(status) for status in RunStatus.all_status()}


class _Point(NamedTuple):
    key: str
    value: Any
    timestamp: int
    step: int
    model_id: str
    dataset_name: str
    dataset_digest: str
    run_id: str


class Pair(NamedTuple):
    """A param or tag."""

    key: str
    value: str


def is_plain_text(value: object) -> bool:
    """Return whether ``value`` is a text that every database driver can send."""
    if type(value) is not str:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def pair(entity: Any) -> Pair | None:
    """Return a param or tag, or None."""
    key, value = entity.key, entity.value
    return Pair(key, value) if is_plain_text(key) and is_plain_text(value) else None


def _number(value: object) -> int | float | str | None:
    if type(value) is int:
        return value
    if type(value) is not float:
        return None
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _absent(text: object) -> str | None:
    """Return ``""`` for None, and None for an empty text, which upstream stores."""
    if text is None:
        return ""
    return text if isinstance(text, str) and text and is_plain_text(text) else None


def _point(metric: Any) -> _Point | None:
    value = _number(metric.value)
    texts = [_absent(t) for t in (metric.model_id, metric.dataset_name, metric.dataset_digest, metric.run_id)]
    if value is None or None in texts or not is_plain_text(metric.key):
        return None
    if type(metric.timestamp) is not int or type(metric.step) is not int:
        return None
    return _Point(metric.key, value, metric.timestamp, metric.step, *texts)  # type: ignore[arg-type]


def batch(run_id: Any, metrics: Any, params: Any, tags: Any) -> Batch | None:
    """Return the arguments of ``log_batch`` as one write, or None."""
    for entities, kind in ((metrics, Metric), (params, Param), (tags, RunTag)):
        if type(entities) is not list or any(type(entity) is not kind for entity in entities):
            return None
    points = [_point(metric) for metric in metrics]
    pairs = [[pair(entity) for entity in entities] for entities in (params, tags)]
    if type(run_id) is not str or None in points or None in pairs[0] or None in pairs[1]:
        return None
    return columns(run_id, points, *pairs)  # type: ignore[arg-type]


def tag(run_id: Any, entity: Any) -> Batch | RunUpdate | None:
    """Return what sets a tag of a run, or None."""
    plain = pair(entity) if type(run_id) is str and type(entity) is RunTag else None
    return None if plain is None else run_tag(run_id, plain)


def experiment_tag(experiment_id: Any, entity: Any) -> ExperimentTag | None:
    """Return what sets a tag of an experiment, or None."""
    plain = pair(entity) if type(experiment_id) is str and type(entity) is ExperimentTagEntity else None
    return None if plain is None else writes.experiment_tag(experiment_number(experiment_id), plain)


def creation(experiment_id: Any, user_id: Any, start_time: Any, tags: Any, name: Any) -> NewRun | None:
    """Return the arguments of ``create_run`` as a write, or None."""
    if type(experiment_id) is not str or type(start_time) is not int or type(tags or []) is not list:
        return None
    if any(type(entity) is not RunTag for entity in tags or []):
        return None
    pairs = [pair(entity) for entity in tags or []]
    if None in pairs or not is_plain_text(user_id) or not is_plain_text("" if name is None else name):
        return None
    return new_run(experiment_number(experiment_id), user_id, int64(start_time), name or "", pairs)


def created(run: NewRun) -> Run:
    """Return a run that was stored, as upstream returns it."""
    info = RunInfo(
        run_id=run.run_id,
        run_name=run.name,
        experiment_id=str(run.experiment_id),
        user_id=run.user_id,
        status=RunStatus.to_string(RunStatus.RUNNING),
        start_time=run.start_time,
        end_time=None,
        lifecycle_stage=LifecycleStage.ACTIVE,
        artifact_uri=run.artifact_uri,
    )
    data = RunData(metrics=[], params=[], tags=[RunTag(key, value) for key, value in run.tags])
    return Run(info, data, RunInputs(dataset_inputs=[]))


def update(run_id: Any, status: Any, end_time: Any, name: Any) -> RunUpdate | None:
    """Return the arguments of ``update_run_info`` as a write, or None."""
    word = _STATUSES.get(status) if type(status) is int else None
    end = int64(end_time) if type(end_time) is int else None
    if type(run_id) is not str or (word is None) != (status is None) or (end is None) != (end_time is None):
        return None
    return run_update(run_id, word, end, name or "") if name is None or is_plain_text(name) else None


def updated(change: RunUpdate) -> RunInfo:
    """Return a run that was changed, as upstream returns it."""
    assert change.row is not None
    row = change.row
    return RunInfo(
        run_id=row.run_id,
        run_name=row.name,
        experiment_id=str(row.experiment_id),
        user_id=row.user_id,
        status=row.status,
        start_time=row.start_time,
        end_time=row.end_time,
        lifecycle_stage=LifecycleStage.ACTIVE,
        artifact_uri=row.artifact_uri,
    )
