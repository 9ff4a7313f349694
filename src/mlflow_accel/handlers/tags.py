"""Single params and tags: of runs (``runs/log-parameter``, ``set-tag``, ``delete-tag``) and of experiments.

A handler takes the body and a store, and returns the answer's body, or None for a request that it leaves to
upstream's view; nothing has been written then.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.json import Decoder

from mlflow_accel.counters import count
from mlflow_accel.handlers.bodies import DeleteTag, OnePair, SetExperimentTag, run_id_of
from mlflow_accel.handlers.replies import stored
from mlflow_accel.handlers.routes import Route
from mlflow_accel.kernels.batch import columns
from mlflow_accel.store.solo import tag_deletion
from mlflow_accel.store.writes import experiment_number, experiment_tag, run_tag

_decode_pair: Final[Any] = Decoder(OnePair).decode
_decode_deletion: Final[Any] = Decoder(DeleteTag).decode
_decode_experiment_tag: Final[Any] = Decoder(SetExperimentTag).decode


def log_param(body: bytes, store: Any) -> bytes | None:
    """Log one param of a run."""
    pair = _pair("log_param", body)
    if pair is None:
        return None
    return b"{}" if stored("log_param", columns(pair.run_id, [], [pair], []), store) else None


def set_tag(body: bytes, store: Any) -> bytes | None:
    """Set one tag of a run; that of the run's name renames it."""
    pair = _pair("set_tag", body)
    if pair is None:
        return None
    return b"{}" if stored("set_tag", run_tag(pair.run_id, pair), store) else None


def delete_tag(body: bytes, store: Any) -> bytes | None:
    """Delete one tag of a run."""
    try:
        tag = _decode_deletion(body)
    except ValueError:
        count("delete_tag", "body")
        return None
    return b"{}" if stored("delete_tag", tag_deletion(tag.run_id, tag.key), store) else None


def set_experiment_tag(body: bytes, store: Any) -> bytes | None:
    """Set one tag of an experiment."""
    try:
        tag = _decode_experiment_tag(body)
    except ValueError:
        count("set_experiment_tag", "body")
        return None
    write = experiment_tag(experiment_number(tag.experiment_id), tag)
    return b"{}" if stored("set_experiment_tag", write, store) else None


def _pair(endpoint: str, body: bytes) -> Any:
    """Return the body with its run's id in ``run_id``, or count it and return None."""
    try:
        pair = _decode_pair(body)
    except ValueError:  # msgspec's errors, and UnicodeDecodeError
        count(endpoint, "body")
        return None
    pair.run_id = run_id_of(pair)
    if pair.run_id is None:
        count(endpoint, "body")
        return None
    return pair


ROUTES = (
    Route("log_param", "_log_param", {"POST": log_param}),
    Route("set_tag", "_set_tag", {"POST": set_tag}),
    Route("delete_tag", "_delete_tag", {"POST": delete_tag}),
    Route("set_experiment_tag", "_set_experiment_tag", {"POST": set_experiment_tag}),
)
