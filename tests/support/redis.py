"""A Redis of its own, in memory: Debian's package ``redis-server``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, listening

PROGRAM = shutil.which("redis-server")
MISSING = "redis-server is not installed (Debian's package `redis-server`)"


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    """Start an empty one; yield its URL."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with listening([str(PROGRAM), *options], port, directory):
        yield f"redis://127.0.0.1:{port}/0"
