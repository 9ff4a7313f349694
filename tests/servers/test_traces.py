"""Traces of real programs: what they leave in our server's database, beside upstream's; and the page that shows them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tests.servers import tracing
from tests.servers.browser import chromium
from tests.servers.counting import Counting, Counts
from tests.support.databases import Databases
from tests.support.http import Request, send
from tests.support.otlp import export, new_trace, span
from tests.support.processes import RunningServer, clean_environment
from tests.support.rows import engine
from tests.support.servers import ServerFactory

ONE_CONNECTION = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "1", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "0"}
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

TABLES = ("trace_info", "trace_tags", "trace_request_metadata", "spans")
TIMES = {
    *("timestamp_ms", "execution_time_ms", "start_time_unix_nano", "end_time_unix_nano", "duration_ns"),
    *("time_unix_nano", "exception.stacktrace"),
}
"""Columns and fields that no two runs of a program have in common; a traceback names the lines of MLflow's wrappers."""

MEASURED = {"mlflow.trace.sizeBytes", "mlflow.trace.sizeStats"}
"""Metadata by the client: sizes of texts in which times stand."""

ONE_AT_A_TIME = {"MLFLOW_ASYNC_TRACE_LOGGING_MAX_WORKERS": "1"}
"""The client sends a trace's spans and its summary in an order of their own, which the rows show."""

Rows = dict[str, list[dict[str, Any]]]


def run_program(server: RunningServer) -> None:
    """Run the program that traces."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.servers.tracing",
        f"http://127.0.0.1:{server.port}",
    ]
    root = Path(__file__).parents[2]
    captured: Any = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(command, cwd=root, env=clean_environment(ONE_AT_A_TIME), **captured)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr, done.stderr


def stored(uri: str) -> Rows:
    """Return every trace's rows, without times."""
    with engine(uri).connect() as connection:
        found = {
            table: [
                dict(row) for row in connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")).mappings()
            ]
            for table in TABLES
        }
    for row in found["spans"]:
        row["content"] = json.loads(row["content"])
    found["trace_request_metadata"] = [
        row for row in found["trace_request_metadata"] if row["key"] not in MEASURED
    ]
    return {table: sorted((_timeless(row) for row in found[table]), key=_key) for table in TABLES}


def _key(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=str)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Traced:
    """Our server, what it counted, and the rows of both servers."""

    server: RunningServer
    counts: Counts
    ours: Rows
    upstream: Rows


@pytest.fixture(scope="module")
def traced(
    databases: Databases,
    module_ours: ServerFactory,
    module_upstream: ServerFactory,
    runtime_directory: dict[str, str],
) -> Traced:
    """Run the program against both servers; ours has one connection."""
    uris = databases.fresh(), databases.fresh()
    environments = {**ONE_CONNECTION, **NO_JOBS, **runtime_directory}, NO_JOBS
    with ThreadPoolExecutor(2) as pool:
        ours, upstream = pool.map(
            lambda factory, uri, env: factory("--backend-store-uri", uri, env=env),
            (module_ours, module_upstream),
            uris,
            environments,
        )
        counting = Counting(ours)
        list(pool.map(run_program, (ours, upstream)))
    return Traced(ours, counting.counts(), stored(uris[0]), stored(uris[1]))


@pytest.mark.parametrize("table", TABLES)
def test_rows_alike(traced: Traced, table: str) -> None:
    assert traced.ours[table] == traced.upstream[table]


def test_everything_was_stored(traced: Traced) -> None:
    names = [row["name"] for row in traced.ours["spans"]]
    assert sorted(names) == sorted(["answer", "think", "look_up", "fail", *["request", "inner"] * 5])


def test_every_export_was_answered_in_the_worker(traced: Traced) -> None:
    # Two of the client's, and two of each of OpenTelemetry's exporters.
    assert traced.counts["export_traces"] == {"fast": 12}


def test_exports_at_once_need_one_connection(traced: Traced) -> None:
    """Upstream opens a session inside a session for a new trace."""
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    bodies = [export(span(new_trace())).SerializeToString() for _ in range(60)]
    with ThreadPoolExecutor(30) as threads:
        sent = [
            threads.submit(send, traced.server.port, Request("POST", "/v1/traces", headers, b))
            for b in bodies
        ]
    assert {each.result().status for each in sent} == {200}


def test_the_page_shows_them(
    traced: Traced, new_directory: Callable[[], Path], pytestconfig: pytest.Config
) -> None:
    shots = pytestconfig.rootpath / "shots"
    shots.mkdir(exist_ok=True)
    [trace] = {row["trace_id"] for row in traced.ours["spans"] if row["name"] == "answer"}
    page = f"http://127.0.0.1:{traced.server.port}/#/experiments/0/traces"
    with chromium(new_directory()) as browser:
        browser.visit(
            page,
            (tracing.QUESTION, tracing.ANSWER, "service.name: json, gzip", "team: tests"),
            shots / "traces.png",
        )
        opened = f"{page}?selectedEvaluationId={trace}"
        browser.visit(opened, ("answer", "think", "look_up", tracing.ANSWER), shots / "trace.png")
