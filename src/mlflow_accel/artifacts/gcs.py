"""Artifacts in Google Cloud Storage: ranged reads of one generation, and one resumable upload."""

from __future__ import annotations

import mimetypes
import posixpath
from functools import partial
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from mlflow_accel.artifacts.model import SLICE, Artifact, Slices, Source

CHUNK = 8 * 2**20
"""Bytes of a request, held in memory; upstream's default is 100 MiB, which it reads from a file."""


def find(repository: Any, path: str) -> Artifact | None:
    """Return the blob, unless it is missing, stored compressed, or not ours to read."""
    bucket, root = repository.parse_gcs_uri(repository.artifact_uri)
    place = repository._get_bucket(bucket)
    try:
        blob = place.get_blob(posixpath.join(root, path), timeout=repository._GCS_DEFAULT_TIMEOUT)
    except (GoogleAPIError, GoogleAuthError):
        return None
    if blob is None or blob.content_encoding or path.endswith("/"):
        return None
    read = partial(_read, blob, repository._GCS_DEFAULT_TIMEOUT)
    return Artifact(blob.size, blob.updated.timestamp(), blob.etag, read)


def _read(blob: Any, timeout: Any, start: int, stop: int) -> Slices:
    reader = blob.open("rb", chunk_size=CHUNK, timeout=timeout, if_generation_match=blob.generation)
    reader.seek(start)
    return Slices(lambda left: reader.read(min(left, SLICE)), stop - start, reader.close)


def write(repository: Any, source: Source, name: str, directory: str | None) -> None:
    """Upload to where upstream would, as what upstream would take it for; an upload that stops is no blob."""
    bucket, root = repository.parse_gcs_uri(repository.artifact_uri)
    blob = repository._get_bucket(bucket).blob(posixpath.join(root, directory or "", name), chunk_size=CHUNK)
    kind, _ = mimetypes.guess_type(name)
    blob.upload_from_file(_Told(source), content_type=kind, timeout=repository._GCS_DEFAULT_TIMEOUT)


class _Told:
    """A source that says how far it has been read, as the SDK asks of a file."""

    def __init__(self, source: Source) -> None:
        self._source, self._read = source, 0

    def read(self, size: int) -> bytes:
        data = bytearray(size)
        with memoryview(data) as buffer:
            taken = self._source.readinto(buffer)
        self._read += taken
        return bytes(data[:taken])

    def tell(self) -> int:
        return self._read
