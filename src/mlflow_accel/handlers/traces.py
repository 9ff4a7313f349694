"""OTLP trace exports: plain well-formed ones are stored, through upstream's own conversion and store.

Upstream's route lives in FastAPI. What its code does around the conversion is done here for exports that succeed; every
refusal is left to it. Its module, which brings FastAPI along, is imported by the first export.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import Parse
from mlflow.entities.span import Span
from mlflow.exceptions import MlflowException
from mlflow.server import otlp_metrics
from mlflow.telemetry.events import TraceSource, TracesReceivedByServerEvent
from mlflow.telemetry.track import _record_event
from mlflow.tracing.utils import dump_span_attribute_value
from mlflow.tracing.utils.otlp import (
    MLFLOW_EXPERIMENT_ID_HEADER,
    MLFLOW_RUN_ID_HEADER,
    _decode_otel_proto_anyvalue,
)
from mlflow.tracking.request_header.default_request_header_provider import (
    _MLFLOW_PYTHON_CLIENT_USER_AGENT_PREFIX,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from mlflow_accel import counters
from mlflow_accel.store.accelerated import AcceleratedTracking

_logger = logging.getLogger(__name__)

NAME = "export_traces"
"""Of the counters."""

counters.declare(NAME)

MAX_SPANS = 512
"""What OpenTelemetry's batch processor exports at once. Storing them takes some 150 ms of a worker's time."""

MAX_BYTES = 4 * 1024 * 1024
"""Of a body, as it is sent and as it is unpacked."""

YIELD_SECONDS = 0.005
"""For how long spans are converted before other requests of the worker get their turn."""

MEDIA_TYPES = {"application/x-protobuf", "application/json"}
WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

ANSWER: bytes = ExportTraceServiceResponse().SerializeToString()


@dataclass(frozen=True)
class _Spans:
    """An export, converted."""

    spans: list[Span]
    completed: set[str]
    """The ids of the traces whose root span is among them."""
    services: set[str]
    """The names of the clients that upstream knows."""


def export_traces(body: bytes, headers: Mapping[str, str], tracking: AcceleratedTracking) -> bytes | None:
    """Store an export and return the answer's body, or return None: nothing is stored then.

    Args:
        body: an ``ExportTraceServiceRequest`` as it was sent: protobuf or JSON, plain or compressed.
        headers: of the request, by lower-case name.
        tracking: where the spans go.

    Raises:
        MlflowException: what upstream's store says of the spans, and upstream's route would answer.
    """
    started = time.perf_counter()
    found = _convert(body, headers)
    if isinstance(found, str):
        counters.count(NAME, found)
        return None
    try:
        tracking.log_spans(headers[MLFLOW_EXPERIMENT_ID_HEADER], found.spans)
    except MlflowException as ex:
        _observe(started, len(body))
        if ex.get_http_status_code() >= 500 and otlp_metrics.INGESTION_ERRORS is not None:
            otlp_metrics.INGESTION_ERRORS.labels(**_label()).inc()
        raise
    except Exception:
        # Upstream's route has a word for it.
        counters.count(NAME, "database")
        return None
    if (run_id := headers.get(MLFLOW_RUN_ID_HEADER)) and found.completed:
        _link(tracking, found.completed, run_id)
    if found.completed:
        _record_event(TracesReceivedByServerEvent, _event(found, headers.get("user-agent", "")))
    _observe(started, len(body), len(found.spans))
    counters.count(NAME, "fast")
    return ANSWER


def _convert(body: bytes, headers: Mapping[str, str]) -> _Spans | str:
    """Return the spans, or why they are left to upstream."""
    media_type = headers.get("content-type", "").split(";")[0].strip()
    if media_type not in MEDIA_TYPES or not _is_plain_id(headers.get(MLFLOW_EXPERIMENT_ID_HEADER, "")):
        return "headers"
    if encoding := headers.get("content-encoding", "").lower():
        if encoding not in WINDOW_BITS:
            return "headers"
        unpacking = zlib.decompressobj(WINDOW_BITS[encoding])
        try:
            body = unpacking.decompress(body, MAX_BYTES)
        except zlib.error:
            return "body"
        if not unpacking.eof or unpacking.unused_data:
            return "large" if unpacking.unconsumed_tail else "body"
    sent = ExportTraceServiceRequest()
    from mlflow.server import otel_api

    try:
        if media_type == "application/json":
            Parse(otel_api._convert_otlp_json_ids_to_base64(body), sent, ignore_unknown_fields=True)
        else:
            sent.ParseFromString(body)
        return _spans(sent)
    except Exception:
        return "body"


def _is_plain_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19 and str(int(text)) == text


def _spans(sent: Any) -> _Spans | str:
    count = sum(len(scope.spans) for resource in sent.resource_spans for scope in resource.scope_spans)
    if count == 0:
        return "body"
    if count > MAX_SPANS:
        return "large"
    found = _Spans([], set(), set())
    began = time.perf_counter()
    for of in sent.resource_spans:
        service = _known_service(of.resource)
        if service is not None:
            found.services.add(service)
        for each in (span for scope in of.scope_spans for span in scope.spans):
            span = Span.from_otel_proto(each, resource=of.resource)
            found.spans.append(span)
            if span.parent_id is None:
                found.completed.add(span.trace_id)
                if service is not None:
                    span._span._attributes["service.name"] = dump_span_attribute_value(service)
            if time.perf_counter() - began > YIELD_SECONDS:
                # To gevent's hub, or to another thread.
                time.sleep(0)
                began = time.perf_counter()
    return found


def _known_service(resource: Any) -> str | None:
    """Return the name of the resource's service if it is one of the clients that upstream knows."""
    value = next((a.value for a in resource.attributes if a.key == "service.name"), None)
    from mlflow.server import otel_api

    name = _decode_otel_proto_anyvalue(value) if value is not None else None
    return str(name) if str(name) in otel_api._KNOWN_SERVICE_NAMES else None


def _label() -> dict[str, str]:
    from mlflow.server import otel_api

    return {"protocol": otel_api._PROTOCOL_LABEL}


def _link(tracking: AcceleratedTracking, traces: set[str], run_id: str) -> None:
    try:
        tracking.link_traces_to_run(list(traces), run_id)
    except Exception:
        # The traces are stored: to upstream, too, this is no reason to refuse them.
        _logger.exception("Traces could not be linked to run %s", run_id)


def _event(found: _Spans, user_agent: str) -> dict[str, object]:
    source = TraceSource.EXTERNAL_OTEL_CLIENT if found.services else TraceSource.UNKNOWN
    if user_agent.startswith(_MLFLOW_PYTHON_CLIENT_USER_AGENT_PREFIX):
        source = TraceSource.MLFLOW_PYTHON_CLIENT
    named = {"service_names": sorted(found.services)} if found.services else {}
    return {"source": source, "count": len(found.completed), **named}


def _observe(started: float, received: int, stored: int = 0) -> None:
    """Keep upstream's metrics of an export that is answered here: all of them are there, or none."""
    if otlp_metrics.REQUEST_DURATION is None:
        return
    otlp_metrics.REQUEST_PAYLOAD_BYTES.observe(received)
    if stored:
        otlp_metrics.SPANS_INGESTED.labels(**_label()).inc(stored)
        otlp_metrics.SPANS_PER_REQUEST.observe(stored)
    otlp_metrics.REQUEST_DURATION.observe(time.perf_counter() - started)
