"""The kinds of write beside ``Batch``: what a handler hands to the store, and what the store hands back in it.

Those that share a group come first. Each names the run or the experiment that it hangs on, and how many rows it stores.
"""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Any, NamedTuple

from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracing.constant import TraceExperimentTagKey
from mlflow.utils.mlflow_tags import MLFLOW_CUSTOM_VIEW_TAG_PREFIX
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.uri import append_to_uri_path

from mlflow_accel.kernels.batch import (
    MAX_TAG_VALUE,
    MAX_TAGS,
    RUN_NAME_TAG,
    Batch,
    columns,
    is_run_id,
    is_text,
    plain_pairs,
    rows_of,
)

MAX_RUN_NAME = 250
MAX_USER = 256
"""Lengths of columns of runs. PostgreSQL and MySQL refuse longer texts, SQLite stores them."""

MAX_EXPERIMENT_TAG_VALUE = 20_000
"""Upstream's limit, in characters."""


class RunRow(NamedTuple):
    """An active run as it stands in the database, as far as it was read; times in ms since the epoch."""

    run_id: str
    experiment_id: int
    workspace: str | None = None
    name: str | None = None
    user_id: str | None = None
    status: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str | None = None


class NewRun:
    """A run to create in an active experiment; its tags, ``mlflow.runName`` among them, have unique keys."""

    __slots__ = ("artifact_uri", "experiment_id", "name", "run_id", "start_time", "tags", "user_id")

    def __init__(
        self, experiment_id: int, user_id: str, start_time: int, name: str, tags: list[tuple[str, str]]
    ) -> None:
        self.run_id = uuid.uuid4().hex
        self.experiment_id = experiment_id
        self.user_id = user_id
        self.start_time = start_time
        self.name = name
        self.tags = tags
        self.artifact_uri = ""
        """Set when it is written: it lies below the experiment's location."""

    @property
    def rows(self) -> int:
        """How many rows it inserts, to bound a group."""
        return 1 + rows_of(self.tags)


def new_run(
    experiment_id: int | None, user_id: str, start_time: int | None, name: str, tags: list[Any]
) -> NewRun | None:
    """Return the run that a client asks for, or None unless all of it is plain; one without a name is given one."""
    pairs = plain_pairs(tags, MAX_TAGS, MAX_TAG_VALUE)
    if experiment_id is None or start_time is None or pairs is None or not is_text(user_id, MAX_USER):
        return None
    tagged = next((value for key, value in pairs if key == RUN_NAME_TAG), None)
    if tagged is None:
        name = name or _generate_random_name()
        pairs.append((RUN_NAME_TAG, name))
    elif tagged and name in ("", tagged):
        name = tagged
    else:
        return None
    return NewRun(experiment_id, user_id, start_time, name, pairs) if is_text(name, MAX_RUN_NAME) else None


class RunUpdate:
    """A change of an active run's status, end or name; what is None, or an empty name, stays as it is."""

    __slots__ = ("end_time", "name", "row", "run_id", "status")

    rows = 2

    def __init__(self, run_id: str, status: str | None, end_time: int | None, name: str | None) -> None:
        self.run_id = run_id
        self.status = status
        self.end_time = end_time
        self.name = name
        self.row: RunRow | None = None
        """Set when it is written: the run as it then stands."""


def run_update(run_id: str, status: str | None, end_time: int | None, name: str) -> RunUpdate | None:
    """Return a change, or None unless it is plain."""
    plain = is_run_id(run_id) and is_text(name, MAX_RUN_NAME)
    return RunUpdate(run_id, status, end_time, name) if plain else None


def run_tag(run_id: str, tag: Any) -> Batch | RunUpdate | None:
    """Return what sets a tag of a run, or None unless it is plain; the tag of the run's name renames it."""
    if tag.key != RUN_NAME_TAG:
        return columns(run_id, [], [], [tag])
    return run_update(run_id, None, None, tag.value) if tag.value else None


class ExperimentTag:
    """A tag of an active experiment."""

    __slots__ = ("experiment_id", "key", "value")

    @property
    def rows(self) -> int:
        """How many rows it inserts, to bound a group."""
        return rows_of([(self.key, self.value)])

    def __init__(self, experiment_id: int, key: str, value: str) -> None:
        self.experiment_id = experiment_id
        self.key = key
        self.value = value


_MEANINGFUL = {TraceExperimentTagKey.ARCHIVAL_RETENTION, TraceExperimentTagKey.ARCHIVE_NOW}
"""Tags of experiments whose values upstream checks, beside those of custom views."""


def experiment_tag(experiment_id: int | None, tag: Any) -> ExperimentTag | None:
    """Return a tag of an experiment, or None unless it is plain."""
    if (
        experiment_id is None
        or plain_pairs([tag], 1, MAX_EXPERIMENT_TAG_VALUE) is None
        or tag.key in _MEANINGFUL
        or tag.key.startswith(MLFLOW_CUSTOM_VIEW_TAG_PREFIX)
    ):
        return None
    return ExperimentTag(experiment_id, tag.key, tag.value)


def experiment_number(text: str) -> int | None:
    """Return an experiment's number, or None where it is not written as upstream writes it, or not 0 to 2**31 - 1."""
    if len(text) > 10 or not text.isascii() or not text.isdecimal():
        return None
    number = int(text)
    return number if number < 2**31 and str(number) == text else None


_A_RUN = uuid.uuid4().hex


@lru_cache(maxsize=1024)
def _around(location: str) -> tuple[str, str] | None:
    """Return what upstream puts before and after a run's id in its artifact URI, or None if it refuses the location."""
    try:
        uri = append_to_uri_path(location, _A_RUN, SqlAlchemyStore.ARTIFACTS_FOLDER_NAME)
    except MlflowException:
        return None
    before, _, after = uri.partition(_A_RUN)
    return before, after


def artifact_uri(location: str | None, run_id: str) -> str | None:
    """Return where the artifacts of a run lie whose experiment has ``location``, or None where upstream must say."""
    around = _around(location) if location else None
    return None if around is None else f"{around[0]}{run_id}{around[1]}"
