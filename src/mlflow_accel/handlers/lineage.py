"""``POST runs/log-inputs`` and ``POST runs/outputs``: the data sets and models of a run.

A handler takes the body and a store, and returns the answer's body, or None for a request that it leaves to
upstream's view; nothing has been written then.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder

from mlflow_accel.counters import count
from mlflow_accel.handlers.bodies import Pair
from mlflow_accel.handlers.replies import stored
from mlflow_accel.handlers.routes import Route
from mlflow_accel.kernels.batch import int64
from mlflow_accel.store import lineage


class _Dataset(Struct, forbid_unknown_fields=True):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class _DatasetInput(Struct, forbid_unknown_fields=True):
    dataset: _Dataset
    tags: list[Pair] = []


class _Model(Struct, forbid_unknown_fields=True):
    model_id: str


class _ModelOutput(Struct, forbid_unknown_fields=True):
    model_id: str
    step: int | str = 0


class LogInputs(Struct, forbid_unknown_fields=True):
    """The body of ``runs/log-inputs``."""

    run_id: str
    datasets: list[_DatasetInput] = []
    models: list[_Model] = []


class LogOutputs(Struct, forbid_unknown_fields=True):
    """The body of ``runs/outputs``."""

    run_id: str
    models: list[_ModelOutput]


_decode_inputs: Final[Any] = Decoder(LogInputs).decode
_decode_outputs: Final[Any] = Decoder(LogOutputs).decode


def log_inputs(body: bytes, store: Any) -> bytes | None:
    """Log the data sets and models that a run used."""
    try:
        sent = _decode_inputs(body)
    except ValueError:  # msgspec's errors, and UnicodeDecodeError
        count("log_inputs", "body")
        return None
    datasets = [
        lineage.Dataset(
            each.dataset.name,
            each.dataset.digest,
            each.dataset.source_type,
            each.dataset.source,
            each.dataset.schema,
            each.dataset.profile,
            [(tag.key, tag.value) for tag in each.tags],
        )
        for each in sent.datasets
    ]
    write = lineage.inputs(sent.run_id, datasets, [model.model_id for model in sent.models])
    return b"{}" if stored("log_inputs", write, store) else None


def log_outputs(body: bytes, store: Any) -> bytes | None:
    """Log the models that a run made."""
    try:
        sent = _decode_outputs(body)
    except ValueError:
        count("log_outputs", "body")
        return None
    models: Any = [(model.model_id, int64(model.step)) for model in sent.models]
    plain = all(step is not None for _, step in models)
    return b"{}" if stored("log_outputs", lineage.outputs(sent.run_id, models) if plain else None, store) else None


ROUTES = (
    Route("log_inputs", "_log_inputs", {"POST": log_inputs}),
    Route("log_outputs", "_log_outputs", {"POST": log_outputs}),
)
