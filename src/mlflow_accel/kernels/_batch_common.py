"""What both twins of ``batch`` share: the result, what they read, and the limits."""

from __future__ import annotations

from typing import Protocol


class Metric(Protocol):
    """One metric as a client sends it; absent texts are ``""``, and the NaN and infinities are texts."""

    key: str
    value: float | str
    timestamp: int | str
    step: int | str
    model_id: str
    dataset_name: str
    dataset_digest: str
    run_id: str


class Pair(Protocol):
    """One param or tag as a client sends it."""

    key: str
    value: str


def rows_of(pairs: list[tuple[str, str]]) -> int:
    """Return how many rows these are, a value counting as one for each 256 characters."""
    return len(pairs) + sum([len(value) >> 8 for _, value in pairs])


class Batch:
    """One client's write to one run, as columns.

    ``keys`` to ``nans`` are parallel, one position per metric. ``timestamps`` are in ms since the epoch. A NaN has
    the value 0.0 and its flag in ``nans``; an infinity is the largest finite double with its sign. ``model_ids``,
    ``dataset_names`` and ``dataset_digests`` are parallel to them too, with None where a metric names no model, or
    all three are None when no metric does. Keys of params are unique, and so are those of tags. ``rows`` is how
    many rows it inserts at most (metrics, model metrics, params and tags; not latest_metrics), to bound a group; a long
    value counts as several, so that the group's bytes are bounded, too.
    """

    __slots__ = (
        "dataset_digests",
        "dataset_names",
        "keys",
        "model_ids",
        "nans",
        "params",
        "rows",
        "run_id",
        "steps",
        "tags",
        "timestamps",
        "values",
    )

    def __init__(
        self,
        run_id: str,
        keys: list[str],
        values: list[float],
        timestamps: list[int],
        steps: list[int],
        nans: list[bool],
        model_ids: list[str | None] | None,
        dataset_names: list[str | None] | None,
        dataset_digests: list[str | None] | None,
        params: list[tuple[str, str]],
        tags: list[tuple[str, str]],
    ) -> None:
        self.run_id = run_id
        self.keys = keys
        self.values = values
        self.timestamps = timestamps
        self.steps = steps
        self.nans = nans
        self.model_ids = model_ids
        self.dataset_names = dataset_names
        self.dataset_digests = dataset_digests
        self.params = params
        self.tags = tags
        rows = len(keys) + rows_of(params) + rows_of(tags)
        if model_ids is not None:
            rows += len(model_ids) - model_ids.count(None)
        self.rows = rows


MAX_METRICS = 1000
MAX_PARAMS = 100
MAX_TAGS = 100
MAX_ENTITIES = 1000
"""Metrics, params and tags of a batch together."""

MAX_KEY = 250
MAX_PARAM_VALUE = 6000
MAX_TAG_VALUE = 8000
"""Upstream's limits, in characters; a test compares them. Above them it truncates or refuses."""

MAX_MODEL_ID = 36
MAX_DATASET_NAME = 500
MAX_DATASET_DIGEST = 36
"""Lengths of columns of logged_model_metrics. PostgreSQL and MySQL refuse longer texts, SQLite stores them."""

RUN_NAME_TAG = "mlflow.runName"
"""Setting this tag renames the run, which is more than storing a tag."""

MAX_VALUE = 1.7976931348623157e308
"""The largest finite double: what is stored for an infinity."""
