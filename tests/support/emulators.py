"""The emulators of Google Cloud Storage (from PyPI) and Azure Blob Storage (from npm), which keep objects in memory."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from tests.support.processes import free_port, listening

CONTAINER = "artifacts"
AZURITE = os.environ.get("MLFLOW_ACCEL_TEST_AZURITE") or shutil.which("azurite-blob")
"""The program, where it is installed: ``npm install azurite``."""

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, which every copy of it has."""


@contextmanager
def gcs(directory: Path) -> Iterator[Mapping[str, str]]:
    """Start the emulator with one bucket; yield the environment of a server that stores there."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gcp_storage_emulator",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with listening([*command, "--in-memory", "--default-bucket", CONTAINER], port, directory):
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}


@contextmanager
def azure(directory: Path) -> Iterator[Mapping[str, str]]:
    """Start azurite with one container; yield the environment of a server that stores there."""
    port = free_port()
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with listening([str(AZURITE), "--blobPort", str(port), *options], port, directory):
        endpoint = f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoint}"
        with BlobServiceClient.from_connection_string(connection) as client:
            client.create_container(CONTAINER)
        yield {"AZURE_STORAGE_CONNECTION_STRING": connection}
