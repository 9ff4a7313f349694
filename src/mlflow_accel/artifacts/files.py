"""Artifacts in a local directory, read and written in threads: a slow disk stops one request, not all of them."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from io import FileIO
from typing import Any, BinaryIO

from mlflow.store.artifact.local_artifact_repo import _set_default_file_mode

from mlflow_accel.artifacts.model import SLICE, Artifact, Slices, Source
from mlflow_accel.threads import NativeThreads

# A pool of its own: a disk that hangs must not hold the threads in which SQLite runs.
in_thread = NativeThreads(4)


def find(repository: Any, path: str) -> None:
    """Leave it to upstream to find the file; :func:`at` reads it."""


def at(path: str) -> Artifact:
    """Return the file at an absolute ``path``.

    Raises:
        OSError: it is not there, or not a regular file.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)

    def read(start: int, stop: int) -> Slices:
        file = in_thread(FileIO, path)
        if not os.path.samestat(os.fstat(file.fileno()), found):
            file.close()
            raise OSError(errno.ESTALE, "replaced by another file", path)
        file.seek(start)
        return Slices(lambda left: in_thread(file.read, min(left, SLICE)), stop - start, file.close)

    return Artifact(found.st_size, found.st_mtime, None, read)


def write(repository: Any, source: Source, name: str, directory: str | None) -> None:
    """Write a file in upstream's way: under a hidden name, then in one step under its own."""
    repository._write_to_destination_path(
        name, partial(_copy, source), directory, finalize_temp_path=_set_default_file_mode
    )


def _copy(source: Source, file: BinaryIO) -> None:
    # PERF: one buffer for all: a new one for each slice took three times the CPU, in the kernel.
    buffer = memoryview(bytearray(SLICE))
    while taken := source.readinto(buffer):
        in_thread(file.write, buffer[:taken])
