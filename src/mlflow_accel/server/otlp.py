"""``POST /v1/traces``: OTLP exports, answered in the worker where upstream's default server has a FastAPI route."""

from __future__ import annotations

import io
import os
from typing import Any

from flask import Flask, Response, request
from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR
from mlflow.server.handlers import _add_static_prefix, catch_mlflow_exception
from mlflow.tracing.utils.otlp import OTLP_TRACES_PATH

from mlflow_accel import counters, patching
from mlflow_accel.handlers import traces
from mlflow_accel.server import companion, views


def register(app: Flask) -> frozenset[tuple[str, str]]:
    """Add the route to ``app``; return its method and path, or nothing where all exports go to the companion."""
    if os.environ.get(ARTIFACTS_ONLY_ENV_VAR) or not patching.active("handlers.export_traces"):
        return frozenset()
    path = _add_static_prefix(OTLP_TRACES_PATH)
    app.add_url_rule(path, endpoint="mlflow_accel.export_traces", view_func=export_traces, methods=["POST"])
    return frozenset({("POST", path)})


@catch_mlflow_exception  # type: ignore[untyped-decorator]
def export_traces() -> Any:
    """Answer an export here, or with the companion, which is an application: Flask asks it."""
    tracking = views.store()
    if tracking is None:
        counters.count(traces.NAME, "store")
        return companion.answer
    sent = request.environ["wsgi.input"]
    # A body of any length may come; a longer one is left to the companion, with what was read of it in front.
    body = sent.read(traces.MAX_BYTES + 1)
    if len(body) > traces.MAX_BYTES:
        counters.count(traces.NAME, "large")
        request.environ["wsgi.input"] = _Again(body, sent)
        return companion.answer
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = traces.export_traces(body, headers, tracking)
    if answer is None:
        request.environ["wsgi.input"] = io.BytesIO(body)
        return companion.answer
    return Response(answer, mimetype="application/x-protobuf")


class _Again(io.RawIOBase):
    """A body whose beginning was read: it is read once more, then the rest."""

    def __init__(self, beginning: bytes, rest: Any) -> None:
        self._beginning = io.BytesIO(beginning)
        self._rest = rest

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the beginning of ``buffer``; return how many bytes there were."""
        piece = self._beginning.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
