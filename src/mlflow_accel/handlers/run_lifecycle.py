"""The life of a run: ``runs/create``, ``runs/update``, ``runs/delete`` and ``runs/restore``.

A handler takes the body and a store, and returns the answer's body, or None for a request that it leaves to
upstream's view; nothing has been written then.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Decoder, Encoder

from mlflow_accel.counters import count
from mlflow_accel.handlers import bodies
from mlflow_accel.handlers.replies import stored
from mlflow_accel.handlers.routes import Route
from mlflow_accel.kernels.batch import int64
from mlflow_accel.store.solo import stage_change
from mlflow_accel.store.writes import experiment_number, new_run, run_update

_decode_creation: Final[Any] = Decoder(bodies.CreateRun).decode
_decode_update: Final[Any] = Decoder(bodies.UpdateRun).decode
_decode_run: Final[Any] = Decoder(bodies.RunOnly).decode
_encode: Final[Any] = Encoder().encode


class _RunInfo(Struct, gc=False):
    """A run as upstream prints it."""

    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | UnsetType
    artifact_uri: str | UnsetType
    lifecycle_stage: str
    run_id: str


def create_run(body: bytes, store: Any) -> bytes | None:
    """Create a run."""
    try:
        creation = _decode_creation(body)
    except ValueError:  # msgspec's errors, and UnicodeDecodeError
        count("create_run", "body")
        return None
    run = new_run(
        experiment_number(creation.experiment_id),
        creation.user_id,
        int64(creation.start_time),
        creation.run_name,
        creation.tags,
    )
    if not stored("create_run", run, store):
        return None
    assert run is not None
    info = _RunInfo(
        run.run_id,
        creation.experiment_id,
        run.name,
        run.user_id,
        "RUNNING",
        run.start_time,
        UNSET,
        run.artifact_uri,
        "active",
        run.run_id,
    )
    tags = [{"key": key, "value": value} for key, value in run.tags]
    return _encode({"run": {"info": info, "data": {"tags": tags}, "inputs": {}}})  # type: ignore[no-any-return]


def update_run(body: bytes, store: Any) -> bytes | None:
    """Change a run's status, end or name."""
    try:
        change = _decode_update(body)
    except ValueError:
        count("update_run", "body")
        return None
    run_id = bodies.run_id_of(change)
    end_time = None if change.end_time is None else int64(change.end_time)
    plain = (end_time is None) == (change.end_time is None)
    update = run_update(run_id or "", change.status, end_time, change.run_name) if plain else None
    if not stored("update_run", update, store):
        return None
    assert update is not None and update.row is not None
    row: Any = update.row
    info = _RunInfo(
        row.run_id,
        str(row.experiment_id),
        row.name,
        row.user_id,
        row.status,
        row.start_time,
        row.end_time or UNSET,
        row.artifact_uri or UNSET,
        "active",
        row.run_id,
    )
    return _encode({"run_info": info})  # type: ignore[no-any-return]


def delete_run(body: bytes, store: Any) -> bytes | None:
    """Mark a run as deleted."""
    return _change_stage("delete_run", body, store, deleted=True)


def restore_run(body: bytes, store: Any) -> bytes | None:
    """Make a deleted run active again."""
    return _change_stage("restore_run", body, store, deleted=False)


def _change_stage(endpoint: str, body: bytes, store: Any, deleted: bool) -> bytes | None:
    try:
        run_id = _decode_run(body).run_id
    except ValueError:
        count(endpoint, "body")
        return None
    return b"{}" if stored(endpoint, stage_change(run_id, deleted), store) else None


ROUTES = (
    Route("create_run", "_create_run", {"POST": create_run}),
    Route("update_run", "_update_run", {"POST": update_run}),
    Route("delete_run", "_delete_run", {"POST": delete_run}),
    Route("restore_run", "_restore_run", {"POST": restore_run}),
)
