"""One large artifact, through the proxy, to S3 and back; what stands in for S3 starts anew for each turn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from benchmarks.alone import AloneWorkload
from benchmarks.bench import Bench
from benchmarks.kinds import Kind
from benchmarks.postgres import free_port
from benchmarks.results import ServerResult
from benchmarks.servers import NotAvailable
from benchmarks.workloads.artifacts import FIGURES, MEBIBYTE, measure, size

BUCKET = "bench"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "S3RVER",
    "AWS_SECRET_ACCESS_KEY": "S3RVER",
    "AWS_DEFAULT_REGION": "us-east-1",
}
START_SECONDS = 30.0
LARGEST_IN_MEMORY = 512 * MEBIBYTE
"""moto reads the whole object for each part of it that it is asked for: larger ones take s3rver, from npm."""


def _measure(bench: Bench, kind: Kind, row: ServerResult) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="s3-") as directory, _s3(size(bench), directory, row):
        return measure(bench, kind, f"s3://{BUCKET}/root")


@contextmanager
def _s3(length: int, directory: str, row: ServerResult) -> Iterator[None]:
    """Start what stands in for S3, known to the servers that this process starts meanwhile."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    if length > LARGEST_IN_MEMORY:
        program = os.environ.get("MLFLOW_BENCH_S3RVER") or shutil.which("s3rver")
        if program is None:
            raise NotAvailable("an artifact of this size needs s3rver: npm install --global s3rver")
        command = [
            program,
            "-d",
            directory,
            "-a",
            "127.0.0.1",
            "-p",
            str(port),
            "--no-vhost-buckets",
            "--silent",
        ]
    row.note(f"S3: {'s3rver' if length > LARGEST_IN_MEMORY else 'moto'}")
    variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    before = {name: os.environ.get(name) for name in variables}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ.update(variables)
    try:
        _create_bucket(port)
        yield
    finally:
        process.kill()
        process.wait()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _create_bucket(port: int) -> None:
    import boto3

    deadline = time.monotonic() + START_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port)
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > deadline:
                raise NotAvailable("what stands in for S3 does not answer") from None
            time.sleep(0.1)
        else:
            break
        finally:
            connection.close()
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.close()


WORKLOAD = AloneWorkload(
    "artifacts_s3",
    "one large artifact through the proxy, stored in S3 (a stand-in here)",
    FIGURES,
    _measure,
    rounds=(1, 1),
)
