"""What a run was made from and what it made: its data sets and models, as one write each."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from mlflow_accel.kernels.batch import is_run_id, is_text
from mlflow_accel.store.solo import Solo, active_run

MAX_INPUTS = 100
"""Data sets and models of one write; upstream has no limit, and clients send a few."""

MAX_DIGEST = 36
MAX_SOURCE_TYPE = 36
MAX_NAME = 500
MAX_SOURCE = 65_535
MAX_SCHEMA = 1_048_575
MAX_PROFILE = 1_048_575
MAX_INPUT_TAG_KEY = 255
MAX_INPUT_TAG_VALUE = 500
MAX_MODEL_ID = 36
"""Upstream's limits or those of the columns, in characters, or below them."""


class Dataset(NamedTuple):
    """A data set that a run used, with the tags of that use."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    tags: list[tuple[str, str]]

    def is_plain(self) -> bool:
        """Return whether every database stores it as it is."""
        required = (
            (self.name, MAX_NAME),
            (self.digest, MAX_DIGEST),
            (self.source_type, MAX_SOURCE_TYPE),
            (self.source, MAX_SOURCE),
        )
        return (
            all(text and is_text(text, limit) for text, limit in required)
            and is_text(self.schema or "", MAX_SCHEMA)
            and is_text(self.profile or "", MAX_PROFILE)
            and len(dict(self.tags)) == len(self.tags)
            and all(is_text(k, MAX_INPUT_TAG_KEY) and is_text(v, MAX_INPUT_TAG_VALUE) for k, v in self.tags)
        )


class Inputs(Solo):
    """Data sets and models that an active run used; what is known of them already stays as it is."""

    __slots__ = ("datasets", "model_ids")

    def __init__(self, run_id: str, datasets: list[Dataset], model_ids: list[str]) -> None:
        super().__init__(run_id)
        self.datasets = datasets
        self.model_ids = model_ids

    def execute(self, cursor: Any, sql: Any, workspace: str | None) -> str:
        """Write; what another writes at the same time is a conflict, and upstream's method then finds it there."""
        run = active_run(cursor, sql, self.run_id, workspace)
        if run is None:
            return "run"
        # Of a data set that is named twice, the first counts.
        datasets = {(each.name, each.digest): each for each in reversed(self.datasets)}
        if datasets:
            self._use(cursor, sql, run[1], dict(sorted(datasets.items())))
        if self.model_ids:
            rows = [(_new_id(), self.run_id, model_id) for model_id in sorted(self.model_ids)]
            sql.insert(cursor, sql.MODEL_INPUTS, _columns(rows))
        return "fast"

    def _use(self, cursor: Any, sql: Any, experiment_id: int, datasets: dict[tuple[str, str], Dataset]) -> None:
        names, digests = sorted({name for name, _ in datasets}), sorted({digest for _, digest in datasets})
        known = {(name, digest): id for name, digest, id in sql.dataset_ids(cursor, experiment_id, names, digests)}
        new = [key for key in datasets if key not in known]
        if new:
            known |= {key: _new_id() for key in new}
            sql.insert(cursor, sql.DATASETS, _columns([(known[key], experiment_id, *datasets[key][:6]) for key in new]))
        used = {known[key]: dataset for key, dataset in datasets.items()}
        before = {id for (id,) in sql.datasets_used(cursor, self.run_id, sorted(used))}
        uses = {id: _new_id() for id in sorted(used) if id not in before}
        if uses:
            sql.insert(cursor, sql.DATASET_INPUTS, _columns([(use, id, self.run_id) for id, use in uses.items()]))
        tags = [(uses[id], *tag) for id in uses for tag in used[id].tags]
        if tags:
            sql.insert(cursor, sql.INPUT_TAGS, _columns(sorted(tags)))


class Outputs(Solo):
    """Models that an active run made, each with its step."""

    __slots__ = ("models",)

    def __init__(self, run_id: str, models: list[tuple[str, int]]) -> None:
        super().__init__(run_id)
        self.models = models

    def execute(self, cursor: Any, sql: Any, workspace: str | None) -> str:
        """Write; a model that is an output already is a conflict."""
        if active_run(cursor, sql, self.run_id, workspace) is None:
            return "run"
        rows = [(_new_id(), self.run_id, model_id, step) for model_id, step in sorted(self.models)]
        sql.insert(cursor, sql.MODEL_OUTPUTS, _columns(rows))
        return "fast"


def inputs(run_id: str, datasets: list[Dataset], model_ids: list[str]) -> Inputs | None:
    """Return what a run used as a write, or None unless all of it is plain."""
    plain = (
        is_run_id(run_id)
        and 0 < len(datasets) + len(model_ids) <= MAX_INPUTS
        and all(dataset.is_plain() for dataset in datasets)
        and _are_models(model_ids)
    )
    return Inputs(run_id, datasets, model_ids) if plain else None


def outputs(run_id: str, models: list[tuple[str, int]]) -> Outputs | None:
    """Return what a run made as a write, or None unless all of it is plain."""
    plain = is_run_id(run_id) and 0 < len(models) <= MAX_INPUTS and _are_models([model_id for model_id, _ in models])
    return Outputs(run_id, models) if plain else None


def _are_models(ids: list[str]) -> bool:
    return len(set(ids)) == len(ids) and all(id and is_text(id, MAX_MODEL_ID) for id in ids)


def _new_id() -> str:
    return uuid.uuid4().hex


def _columns(rows: list[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
