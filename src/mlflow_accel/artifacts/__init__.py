"""Artifacts streamed to and from where they are stored: constant memory, no copy on the way.

One module per kind of store, each beside upstream's repository class, whose layout of keys and options it keeps.
``find`` answers None and ``write`` False for whatever is left to upstream's code: another kind of store, a directory,
a missing artifact, an error. Nothing has been read or written then.
"""

from __future__ import annotations

import importlib
from typing import Any

from mlflow_accel.artifacts import files
from mlflow_accel.artifacts.model import Artifact, Source

__all__ = ["Artifact", "Source", "find", "load_sdk", "use_threads", "write"]

use_threads = files.in_thread.use

_UPSTREAM = "mlflow.store.artifact"
_MODULES = {
    f"{_UPSTREAM}.local_artifact_repo.LocalArtifactRepository": "files",
    f"{_UPSTREAM}.s3_artifact_repo.S3ArtifactRepository": "s3",
    f"{_UPSTREAM}.gcs_artifact_repo.GCSArtifactRepository": "gcs",
    f"{_UPSTREAM}.azure_blob_artifact_repo.AzureBlobArtifactRepository": "azure",
}
"""Upstream's class to our module, which imports that store's SDK; a subclass may do anything, and is upstream's."""


def _module(repository: Any) -> Any:
    kind = type(repository)
    name = _MODULES.get(f"{kind.__module__}.{kind.__qualname__}")
    return name and importlib.import_module(f"{__name__}.{name}")


def load_sdk(uri: str) -> None:
    """Load what a store at ``uri`` takes, where that may be done before a fork: for S3.

    PERF: 35 MB in each worker otherwise, and half a second of its first request.
    """
    if uri.startswith("s3:"):
        importlib.import_module(f"{__name__}.s3").load_sdk()


def find(repository: Any, path: str) -> Artifact | None:
    """Return the artifact at ``path`` in one of upstream's repositories."""
    module = _module(repository)
    return module.find(repository, path) if module else None


def write(repository: Any, source: Source, name: str, directory: str | None) -> bool:
    """Store what ``source`` yields as ``directory``/``name``; on return it is there, whole.

    Raises:
        Exception: whatever the source or the store's SDK raises; nothing is left behind.
    """
    module = _module(repository)
    if not module:
        return False
    module.write(repository, source, name, directory)
    return True
