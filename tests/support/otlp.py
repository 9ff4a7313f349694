"""OTLP exports: their spans' times and ids are the same every time, their traces are new."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from itertools import count
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

START_NS = 1_700_000_000_000_000_000

_numbers = count()


def new_trace() -> bytes:
    """Return the id of a trace that nothing has yet."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"trace {next(_numbers)}").bytes


def span(trace: bytes, number: int = 1, parent: int = 0, **attributes: Any) -> dict[str, Any]:
    """Return what :func:`export` makes a span of; ``parent`` 0: it is the root."""
    return {"trace": trace, "number": number, "parent": parent, "attributes": attributes}


def export(*spans: Mapping[str, Any], service: str = "tests") -> ExportTraceServiceRequest:
    """Return an export of ``spans`` by the service of that name."""
    sent = ExportTraceServiceRequest()
    resource = sent.resource_spans.add()
    _set(resource.resource.attributes.add(), "service.name", service)
    scope = resource.scope_spans.add()
    for each in spans:
        made = scope.spans.add()
        made.trace_id, made.span_id = each["trace"], each["number"].to_bytes(8, "big")
        made.parent_span_id = each["parent"].to_bytes(8, "big") if each["parent"] else b""
        made.name = f"step {each['number']}"
        made.start_time_unix_nano = START_NS + each["number"] * 1_000_000
        made.end_time_unix_nano = START_NS + 1_000_000_000 - each["number"] * 1_000_000
        for key, value in each["attributes"].items():
            _set(made.attributes.add(), key.replace("__", "."), value)
    return sent


def _set(attribute: Any, key: str, value: object) -> None:
    attribute.key = key
    kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(attribute.value, kind, value)


def as_json(sent: ExportTraceServiceRequest) -> bytes:
    """Return OTLP's JSON: ids are hexadecimal there, and protobuf's would be base64."""
    found = MessageToDict(sent)
    for made, told in zip(
        [s for r in sent.resource_spans for c in r.scope_spans for s in c.spans],
        [s for r in found["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]],
        strict=True,
    ):
        told.update(
            traceId=made.trace_id.hex(), spanId=made.span_id.hex(), parentSpanId=made.parent_span_id.hex()
        )
    return json.dumps(found).encode()
