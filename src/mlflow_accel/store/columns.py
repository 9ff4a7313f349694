"""The rows of a group of batches, as columns: what the statements of every database are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlflow_accel.kernels.batch import Batch, newest


class Member(NamedTuple):
    """One client's write, and the workspace that its run must belong to (None: workspaces are off)."""

    batch: Batch
    workspace: str | None

    @property
    def rows(self) -> int:
        """How many rows it writes."""
        return self.batch.rows


Columns = tuple[list[Any], ...]


@dataclass
class GroupColumns:
    """Columns per table, in upstream's order of tables; each sorted by (run, key), so that processes never deadlock."""

    params: Columns = field(default_factory=tuple)
    """run_uuid, key, value"""
    metrics: Columns = field(default_factory=tuple)
    """run_uuid, key, value, timestamp, step, is_nan"""
    latest: Columns = field(default_factory=tuple)
    """As ``metrics``; the newest of each run and key."""
    model_metrics: Columns = field(default_factory=tuple)
    """model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, experiment_id, run_id, dataset_name,
    dataset_digest"""
    tags: Columns = field(default_factory=tuple)
    """run_uuid, key, value; the last of each run and key."""


def collect(members: Iterable[Member], experiment_ids: dict[str, int]) -> GroupColumns:
    """Return the rows of ``members``, whose runs are all in ``experiment_ids`` (run id to experiment id)."""
    run_ids: list[str] = []
    keys: list[str] = []
    values: list[float] = []
    timestamps: list[int] = []
    steps: list[int] = []
    nans: list[bool] = []
    params: dict[tuple[str, str], str] = {}
    tags: dict[tuple[str, str], str] = {}
    model_rows: list[tuple[Any, ...]] = []
    for batch, _ in members:
        run_id = batch.run_id
        run_ids += [run_id] * len(batch.keys)
        keys += batch.keys
        values += batch.values
        timestamps += batch.timestamps
        steps += batch.steps
        nans += batch.nans
        for key, value in batch.params:
            # Two members with two values: the first one's is stored, and the second compared with it.
            params.setdefault((run_id, key), value)
        for key, value in batch.tags:
            tags[run_id, key] = value
        if batch.model_ids is not None:
            model_rows += _model_rows(batch, experiment_ids[run_id])
    columns = GroupColumns(params=_pairs(params), tags=_pairs(tags), model_metrics=_transposed(sorted(model_rows, key=_by_key)))
    if keys:
        every = (run_ids, keys, values, timestamps, steps, nans)
        order = newest(run_ids, keys, values, timestamps, steps)
        columns.latest = tuple([column[i] for i in order] for column in every)
        if len(order) == len(keys):
            columns.metrics = columns.latest
        else:
            by_key = sorted(range(len(keys)), key=lambda i: (run_ids[i], keys[i]))
            columns.metrics = tuple([column[i] for i in by_key] for column in every)
    return columns


def _model_rows(batch: Batch, experiment_id: int) -> list[tuple[Any, ...]]:
    assert batch.model_ids is not None and batch.dataset_names is not None and batch.dataset_digests is not None
    return [
        (model_id, key, timestamp, step, value, experiment_id, batch.run_id, name, digest)
        for model_id, key, timestamp, step, value, name, digest in zip(
            batch.model_ids,
            batch.keys,
            batch.timestamps,
            batch.steps,
            batch.values,
            batch.dataset_names,
            batch.dataset_digests,
            strict=True,
        )
        if model_id is not None
    ]


def _by_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:4]


def _pairs(rows: dict[tuple[str, str], str]) -> Columns:
    return _transposed([(run_id, key, rows[run_id, key]) for run_id, key in sorted(rows)])


def _transposed(rows: Sequence[tuple[Any, ...]]) -> Columns:
    return tuple(list(column) for column in zip(*rows, strict=True))
