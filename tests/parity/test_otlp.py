"""``POST /v1/traces``: exports put to both servers; answers and rows are compared."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Exchange, Pair
from tests.parity.writes import add_run, new_ids
from tests.support.http import Request
from tests.support.otlp import as_json, export, new_trace, span
from tests.support.rows import rows

PROTOBUF, JSON = "application/x-protobuf", "application/json"
EXPERIMENT = {"x-mlflow-experiment-id": "0"}

TABLES = {
    "trace_info": "request_id",
    "trace_tags": "request_id",
    "trace_request_metadata": "request_id",
    "spans": "trace_id",
    "entity_associations": "source_id",
}
"""Every table that an export may touch, and where it names the trace."""

MADE_UP = {"entity_associations": (0, 5)}
"""The columns that each server makes up: an id and a time."""


@dataclass(frozen=True)
class Case:
    """Exports about one new trace, in order: each is given the trace's id."""

    exports: tuple[Callable[[bytes], ExportTraceServiceRequest], ...]
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Beside the experiment's; None: not sent."""
    encode: Callable[[ExportTraceServiceRequest], bytes] = ExportTraceServiceRequest.SerializeToString
    content_type: str = PROTOBUF


def _tree(trace: bytes) -> ExportTraceServiceRequest:
    return export(
        span(
            trace, 1, 0, mlflow__spanInputs='{"question": "größe?"}', mlflow__spanOutputs='"42"', user__id="u"
        ),
        span(trace, 2, 1, mlflow__spanType='"LLM"', session__id="s-1", numbers=7, ratio=0.5, flag=True),
        span(trace, 3, 2, gen_ai__usage__input_tokens=11, gen_ai__usage__output_tokens=5),
    )


def _other_encoding(encode: Callable[[bytes], bytes]) -> Callable[[ExportTraceServiceRequest], bytes]:
    return lambda sent: encode(sent.SerializeToString())


PLAIN = {
    "protobuf": Case((_tree,)),
    "json": Case((_tree,), encode=as_json, content_type=JSON),
    "json with a charset": Case((_tree,), encode=as_json, content_type=f"{JSON}; charset=utf-8"),
    "gzip": Case((_tree,), {"Content-Encoding": "gzip"}, _other_encoding(gzip.compress)),
    "deflate": Case((_tree,), {"Content-Encoding": "Deflate"}, _other_encoding(zlib.compress)),
    "gzip and json": Case(
        (_tree,), {"Content-Encoding": "gzip"}, lambda sent: gzip.compress(as_json(sent)), JSON
    ),
    "twice": Case((_tree, _tree)),
    "the root last": Case(
        (
            lambda trace: export(
                span(trace, 2, 1, gen_ai__usage__input_tokens=3, gen_ai__usage__output_tokens=4)
            ),
            lambda trace: export(span(trace, 1, 0, mlflow__traceTag__team='"tests"')),
        )
    ),
    "a client that upstream knows": Case((lambda trace: export(span(trace), service="claude-code"),)),
    "as the mlflow client": Case((_tree,), {"User-Agent": "mlflow-python-client/3.17.2"}),
    "for a run": Case((_tree,), {"x-mlflow-run-id": "$run"}),
    "for a run that is missing": Case((_tree,), {"x-mlflow-run-id": "0" * 32}),
    "many spans": Case((lambda trace: export(*(span(trace, n + 1, min(n, 1)) for n in range(512))),)),
    "an unknown experiment": Case((_tree,), {"x-mlflow-experiment-id": "123456"}),
}
"""Answered in the worker."""

ODD = {
    "no experiment": Case((_tree,), {"x-mlflow-experiment-id": None}),
    "no number of an experiment": Case((_tree,), {"x-mlflow-experiment-id": "0x0"}),
    "another content type": Case((_tree,), content_type="text/plain"),
    "no content type": Case((_tree,), {"Content-Type": None}),
    "nothing": Case((lambda trace: ExportTraceServiceRequest(),)),
    "no protobuf": Case((_tree,), encode=lambda sent: b"\xff" * 20),
    "no JSON": Case((_tree,), encode=lambda sent: b"{", content_type=JSON),
    "no gzip": Case((_tree,), {"Content-Encoding": "gzip"}),
    "raw deflate": Case(
        (_tree,), {"Content-Encoding": "deflate"}, _other_encoding(lambda sent: zlib.compress(sent)[2:-4])
    ),
    "another encoding": Case((_tree,), {"Content-Encoding": "br"}),
    "too many spans for a worker": Case(
        (lambda trace: export(*(span(trace, n + 1, min(n, 1)) for n in range(513))),)
    ),
    "too long for a worker": Case((lambda trace: export(span(trace, text="x" * (5 << 20))),)),
}
"""Answered by the companion."""


def stored(uri: str, trace: bytes) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows of a trace by table, without what each server makes up."""
    conditions = {table: f"{column} = :trace" for table, column in TABLES.items()}
    found = rows(uri, conditions, trace=f"tr-{trace.hex()}")
    return {
        table: sorted(
            tuple(repr(value) for i, value in enumerate(row) if i not in MADE_UP.get(table, ()))
            for row in found[table]
        )
        for table in TABLES
    }


def check(pair: Pair, name: str, case: Case) -> list[Exchange]:
    """Put ``case`` to both servers, and fail where an answer or a row of its trace differs."""
    trace, ids = new_trace(), new_ids()
    for uri in pair.uris:
        add_run(uri, ids, "active")
    given = {"Content-Type": case.content_type, **EXPERIMENT, **case.headers}
    headers = {key: value.replace("$run", ids["run"]) for key, value in given.items() if value is not None}
    done = []
    for make in case.exports:
        request = Request("POST", "/v1/traces", headers, case.encode(make(trace)))
        exchange = pair.ask(request, "/v1/traces", name)
        assert not unlisted(exchange.findings, ROUTES)
        upstream, ours = (stored(uri, trace) for uri in pair.uris)
        assert ours == upstream
        assert bool(ours["spans"]) == (exchange.status == 200)
        done.append(exchange)
    return done


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_export(write_pair: Pair, name: str) -> None:
    for exchange in check(write_pair, name, PLAIN[name]):
        if exchange.status == 200:
            assert exchange.answers[1].header("Content-Type") == [PROTOBUF]
            assert exchange.answers[1].body == b""


@pytest.mark.parametrize("name", ODD)
def test_an_odd_export(write_pair: Pair, name: str) -> None:
    check(write_pair, name, ODD[name])
