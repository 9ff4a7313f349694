"""10 spans per OTLP export: a new trace each, as an instrumented program sends it; in OTLP's JSON form."""

from __future__ import annotations

import json
import secrets

from benchmarks.client import Client
from benchmarks.databases import Database
from benchmarks.load import Template
from benchmarks.rounds import Data, LoadWorkload, Rows
from benchmarks.workloads.writing import CHECKED_STEP, expect

SPANS = 10
STORED = "SELECT name, parent_span_id FROM spans WHERE trace_id = :trace ORDER BY start_time_unix_nano"


def _span(number: int) -> dict[str, object]:
    start = 1_700_000_000_000_000_000 + number * 1_000_000
    texts = {
        "input.value": "How far is the moon?",
        "output.value": "384,400 km",
        "gen_ai.request.model": "m-1",
    }
    return {
        "traceId": "@run@@id@",
        "spanId": f"{number + 1:016x}",
        "parentSpanId": f"{1:016x}" if number else "",
        "name": f"step {number}",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 500_000),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in texts.items()],
    }


BODY = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "bench"}}]},
            "scopeSpans": [{"scope": {"name": "bench"}, "spans": [_span(number) for number in range(SPANS)]}],
        }
    ]
}


def fill(client: Client, database: Database, count: int) -> Data:
    """Return the beginnings of ``count`` clients' trace ids; experiment 0 is there already."""
    return Data([secrets.token_hex(12) for _ in range(count)], {})


def check(client: Client, database: Database, request: Template, data: Data) -> None:
    """Send one export and compare the stored spans with it."""
    run = data.runs[0]
    answer = client.ask(*request.filled(run, CHECKED_STEP), request.headers)
    expect("the answer to an export", answer, (200, b""))
    expected = [(f"step {number}", f"{1:016x}" if number else None) for number in range(SPANS)]
    expect("spans", database.rows(STORED, trace=f"tr-{run}{CHECKED_STEP:08x}"), expected)


WORKLOAD = LoadWorkload(
    "otlp_10",
    "OTLP export of 10 spans, a new trace each, 20 clients",
    Template("POST", "/v1/traces", json.dumps(BODY), {"x-mlflow-experiment-id": "0"}),
    fill=fill,
    check=check,
    rows=Rows("spans", SPANS),
)
