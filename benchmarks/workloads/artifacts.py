"""What the workloads that move one large artifact share: it goes up, and comes down again."""

from __future__ import annotations

import os
import threading

from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.databases import SQLITE
from benchmarks.kinds import Kind
from benchmarks.results import Figure
from benchmarks.servers import Server
from benchmarks.transfer import move

WORKERS = 2
MEBIBYTE = 2**20
PATH = "/api/2.0/mlflow-artifacts/artifacts/0/bench/artifacts/large.bin"
SAMPLE_SECONDS = 0.2

FIGURES = [
    Figure("size", "artifact, MiB", digits=0),
    Figure("up", "upload, MiB/s", higher_is_better=True, compared=True, digits=0),
    Figure("down", "download, MiB/s", higher_is_better=True, compared=True, digits=0),
    Figure("first_byte", "first byte, ms", compared=True, digits=0),
    Figure("up_memory", "PSS above idle, uploading, MiB", compared=True, digits=0),
    Figure("down_memory", "PSS above idle, downloading, MiB", compared=True, digits=0),
    Figure("cpu_per_gib", "CPU s per GiB, both ways", compared=True, digits=2),
]


def size(bench: Bench) -> int:
    """Return the artifact's size in bytes: ``MLFLOW_BENCH_ARTIFACT_MIB``, or what the length of the run allows."""
    return int(os.environ.get("MLFLOW_BENCH_ARTIFACT_MIB") or (256 if bench.quick else 5120)) * MEBIBYTE


def measure(bench: Bench, kind: Kind, artifacts: str | None) -> dict[str, float]:
    """Start a server that stores in ``artifacts`` and move the artifact."""
    length = size(bench)
    with (
        bench.databases(SQLITE).with_schema(kind.name) as database,
        bench.running(kind, database, WORKERS, artifacts) as server,
    ):
        server.wait_until_settled()
        idle, cpu = server.pss_bytes(), server.cpu_seconds()
        with _Peak(server) as uploading:
            up = move("up", server.port, PATH, length)
        with _Peak(server) as downloading:
            down = move("down", server.port, PATH, length)
        cpu = server.cpu_seconds() - cpu
        with Client(server.port) as client:
            client.send("DELETE", PATH)
    return {
        "size": length / MEBIBYTE,
        "up": length / MEBIBYTE / up["seconds"],
        "down": length / MEBIBYTE / down["seconds"],
        "first_byte": down["first_byte"] * 1000,
        "up_memory": (uploading.bytes - idle) / MEBIBYTE,
        "down_memory": (downloading.bytes - idle) / MEBIBYTE,
        "cpu_per_gib": cpu / (2 * length / 2**30),
    }


class _Peak:
    """The most memory that a server's processes hold while it is entered, looked at five times a second."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.bytes = 0

    def _look(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._server.pss_bytes())
            if self._done.wait(SAMPLE_SECONDS):
                return

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
