"""moto's server, which stands in for S3: real requests over HTTP, its objects kept in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from tests.support.processes import ServerFailed, clean_environment, free_port, start_server

BUCKET = "artifacts"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class S3:
    """A running stand-in, with one bucket."""

    def __init__(self, port: int) -> None:
        address = f"http://127.0.0.1:{port}"
        self.environment: Mapping[str, str] = {**CREDENTIALS, "MLFLOW_S3_ENDPOINT_URL": address}
        """What a server needs to store artifacts here."""
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )
        self.client.create_bucket(Bucket=BUCKET)

    def objects(self, prefix: str = "") -> list[str]:
        """Return the keys of the objects below ``prefix``."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for each in listed.get("Contents", ())]

    def unfinished(self) -> list[str]:
        """Return the keys of the uploads that were begun and neither completed nor aborted."""
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()


@contextmanager
def running(directory: Path) -> Iterator[S3]:
    """Start moto's server; its log goes to ``directory``."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = start_server(
        command, port=port, cwd=directory, env=clean_environment(), health="/moto-api/data.json"
    )
    store = S3(port)
    try:
        yield store
    finally:
        store.close()
        server.process.terminate()
        try:
            server.process.wait(10)
        except subprocess.TimeoutExpired:
            server.process.kill()
            raise ServerFailed(f"moto did not end:\n{server.output()}") from None
