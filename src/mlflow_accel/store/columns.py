"""The rows of a group of writes, as columns: what the statements of every database are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlflow_accel.kernels.batch import RUN_NAME_TAG, Batch, newest
from mlflow_accel.store.writes import ExperimentTag, NewRun, RunRow, RunUpdate


class Member(NamedTuple):
    """One client's write, and the workspace that its run or experiment must belong to (None: workspaces are off)."""

    write: Any
    workspace: str | None

    @property
    def rows(self) -> int:
        """How many rows it writes."""
        return self.write.rows  # type: ignore[no-any-return]


Columns = tuple[list[Any], ...]


@dataclass
class GroupColumns:
    """Columns per table, in one order of tables; each sorted by its key, so that processes never deadlock."""

    new_runs: Columns = field(default_factory=tuple)
    """run_uuid, name, user_id, start_time, artifact_uri, experiment_id"""
    changed_runs: Columns = field(default_factory=tuple)
    """name, status, end_time, run_uuid"""
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
    experiment_tags: Columns = field(default_factory=tuple)
    """experiment_id, key, value; the last of each experiment and key."""


def collect(members: Iterable[Member], runs: dict[str, RunRow]) -> GroupColumns:
    """Return the rows of ``members``, in whose order they take effect.

    The run of each is in ``runs``, by its id. A :class:`RunUpdate` gets the run as it stands after it.
    """
    run_ids: list[str] = []
    keys: list[str] = []
    values: list[float] = []
    timestamps: list[int] = []
    steps: list[int] = []
    nans: list[bool] = []
    params: dict[tuple[str, str], str] = {}
    tags: dict[tuple[str, str], str] = {}
    model_rows: list[tuple[Any, ...]] = []
    new_runs: list[tuple[Any, ...]] = []
    changed: dict[str, RunRow] = {}
    experiment_tags: dict[tuple[int, str], str] = {}
    for write, _ in members:
        if isinstance(write, Batch):
            run_id = write.run_id
            run_ids += [run_id] * len(write.keys)
            keys += write.keys
            values += write.values
            timestamps += write.timestamps
            steps += write.steps
            nans += write.nans
            for key, value in write.params:
                # Two members with two values: the first one's is stored, and the second compared with it.
                params.setdefault((run_id, key), value)
            for key, value in write.tags:
                tags[run_id, key] = value
            if write.model_ids is not None:
                model_rows += _model_rows(write, runs[run_id].experiment_id)
        elif isinstance(write, NewRun):
            new_runs.append(
                (write.run_id, write.name, write.user_id, write.start_time, write.artifact_uri, write.experiment_id)
            )
            for key, value in write.tags:
                tags[write.run_id, key] = value
        elif isinstance(write, RunUpdate):
            before = changed.get(write.run_id) or runs[write.run_id]
            write.row = _updated(before, write)
            if write.row != before:
                changed[write.run_id] = write.row
            if write.name:
                tags[write.run_id, RUN_NAME_TAG] = write.name
        elif isinstance(write, ExperimentTag):
            experiment_tags[write.experiment_id, write.key] = write.value
        else:
            raise TypeError(f"{type(write).__name__} is not written in a group")
    columns = GroupColumns(
        new_runs=_transposed(sorted(new_runs)),
        changed_runs=_transposed([(r.name, r.status, r.end_time, r.run_id) for _, r in sorted(changed.items())]),
        params=_pairs(params),
        tags=_pairs(tags),
        model_metrics=_transposed(sorted(model_rows, key=_by_key)),
        experiment_tags=_pairs(experiment_tags),
    )
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


def _updated(run: RunRow, update: RunUpdate) -> RunRow:
    return run._replace(
        name=update.name or run.name,
        status=run.status if update.status is None else update.status,
        end_time=run.end_time if update.end_time is None else update.end_time,
    )


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


def _pairs(rows: dict[Any, str]) -> Columns:
    return _transposed([(*pair, rows[pair]) for pair in sorted(rows)])


def _transposed(rows: Sequence[tuple[Any, ...]]) -> Columns:
    return tuple(list(column) for column in zip(*rows, strict=True))
