"""What a program traces, run in a process of its own: ``python -m tests.servers.tracing URL``.

Its ids are the same in every run, so that what two servers stored can be compared.
"""

from __future__ import annotations

import random
import sys

import mlflow
from opentelemetry.exporter.otlp.common.http import Compression as JsonCompression
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

QUESTION = "Wie groß ist der Mond?"
ANSWER = "3474 km"


@mlflow.trace(span_type="CHAIN")
def answer(question: str) -> str:
    """Answer a question, in two steps."""
    mlflow.update_current_trace(tags={"team": "tests"}, metadata={"mlflow.trace.session": "s-1"})
    return think(question) + look_up(question)


@mlflow.trace(span_type="LLM", attributes={"temperature": 0.5})
def think(question: str) -> str:
    """Use some tokens."""
    usage = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
    mlflow.get_current_active_span().set_attribute("mlflow.chat.tokenUsage", usage)
    return ""


@mlflow.trace(span_type="RETRIEVER")
def look_up(question: str) -> str:
    """Find it."""
    return ANSWER


@mlflow.trace
def fail() -> None:
    """Fail."""
    raise ValueError("nothing is known")


def trace_with_mlflow(url: str) -> None:
    """Trace as a user of the mlflow client does: exports run in its background."""
    mlflow.set_tracking_uri(url)
    random.seed("answer")
    answer(QUESTION)
    mlflow.flush_trace_async_logging()
    random.seed("fail")
    try:
        fail()
    except ValueError:
        pass
    mlflow.flush_trace_async_logging()


def trace_with_opentelemetry(exporter: SpanExporter, name: str) -> None:
    """Trace with OpenTelemetry's SDK alone, in two batches."""
    traced = TracerProvider(resource=Resource({"service.name": name}))
    traced.add_span_processor(BatchSpanProcessor(exporter))
    tracer = traced.get_tracer("tests")
    random.seed(name)
    with tracer.start_as_current_span("request", attributes={"input.value": QUESTION, "tries": 2}) as root:
        with tracer.start_as_current_span("inner", attributes={"ratio": 0.5, "flags": [True, False]}):
            root.add_event("asked", {"at": "once"})
        traced.force_flush()
    traced.shutdown()


if __name__ == "__main__":
    url = sys.argv[1]
    trace_with_mlflow(url)
    to = {"endpoint": f"{url}/v1/traces", "headers": {"x-mlflow-experiment-id": "0"}}
    trace_with_opentelemetry(OTLPSpanExporter(**to), "protobuf")
    trace_with_opentelemetry(OTLPSpanExporter(compression=Compression.Gzip, **to), "protobuf, gzip")
    trace_with_opentelemetry(OTLPSpanExporter(compression=Compression.Deflate, **to), "protobuf, deflate")
    trace_with_opentelemetry(JsonExporter(**to), "json")
    trace_with_opentelemetry(JsonExporter(compression=JsonCompression.GZIP, **to), "json, gzip")
