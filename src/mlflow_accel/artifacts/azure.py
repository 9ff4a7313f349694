"""Artifacts in Azure Blob Storage: ranged reads of one version, and uploads in blocks."""

from __future__ import annotations

import base64
import functools
import posixpath
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobBlock

from mlflow_accel.artifacts import parts
from mlflow_accel.artifacts.model import Artifact, Slices, Source

CHUNK = 4 * 2**20
"""Bytes that a request reads, held in memory."""


def find(repository: Any, path: str) -> Artifact | None:
    """Return the blob, unless it is missing or not ours to read."""
    blob = _blob(repository, path)
    if path.endswith("/"):
        return None
    try:
        found = blob.get_blob_properties()
    except AzureError:
        return None
    read = functools.partial(_read, blob, found.etag)
    return Artifact(found.size, found.last_modified.timestamp(), found.etag.strip('"'), read)


def _read(blob: Any, etag: str, start: int, stop: int) -> Slices:
    def read(left: int) -> bytes:
        return blob.download_blob(  # type: ignore[no-any-return]
            offset=stop - left,
            length=min(left, CHUNK),
            etag=etag,
            match_condition=MatchConditions.IfNotModified,
            max_concurrency=1,
        ).readall()

    return Slices(read, stop - start, lambda: None)


def write(repository: Any, source: Source, name: str, directory: str | None) -> None:
    """Upload to where upstream would; blocks of an upload that stops are no blob, and Azure drops them in a week."""
    blob = _blob(repository, posixpath.join(directory or "", name))
    whole, pieces = parts.split(source)
    if whole is not None:
        blob.upload_blob(bytes(whole), overwrite=True, timeout=repository.write_timeout)
        return

    def send(number: int, data: bytearray) -> BlobBlock:
        # All ids of a blob are of one length.
        block = base64.b64encode(f"{number:05}".encode()).decode()
        blob.stage_block(block, bytes(data), timeout=repository.write_timeout)
        return BlobBlock(block_id=block)

    blob.commit_block_list(parts.send(pieces, send), timeout=repository.write_timeout)


def _blob(repository: Any, path: str) -> Any:
    container, _, root, _ = repository.parse_wasbs_uri(repository.artifact_uri)
    return repository.client.get_blob_client(container, posixpath.join(root, path))
