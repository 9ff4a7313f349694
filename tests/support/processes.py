"""Server processes on free ports: ready when handed out, reaped when closed."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow_accel
from benchmarks import postgres

READY_SECONDS = 90.0
STOP_SECONDS = 90.0
POLL_SECONDS = 0.05
SOON_SECONDS = 30.0

free_port = postgres.free_port


class ServerFailed(RuntimeError):
    """A server ended, or did not answer in time; the message holds its output."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without MLflow's settings and pytest's, plus ``extra``.

    Under pytest's, MLflow makes checks that it does not make in production. Bytecode is kept: where no installer has
    compiled MLflow, a start without takes three seconds more. The package under test is put on ``PYTHONPATH``, so that
    a server started elsewhere runs the same code.
    """
    dropped = {"MLFLOW", "PYTEST", "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if not dropped & set(name.upper().split("_"))}
    kept |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(Path(mlflow_accel.__file__).parents[1]),
        "PYTHONUNBUFFERED": "1",
    }
    return kept | dict(extra or {})


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def eventually(what: Callable[[], bool], seconds: float = SOON_SECONDS) -> None:
    """Wait until ``what()`` is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"still not true after {seconds} s"
        time.sleep(POLL_SECONDS)


@contextmanager
def listening(command: Sequence[str], port: int, directory: Path) -> Iterator[None]:
    """Run ``command`` in ``directory``, from when it listens on ``port``; it keeps nothing, and is killed."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with (directory / "listening.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, env=clean_environment(), stdout=log, stderr=log)
        try:
            eventually(listens)
            yield
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class RunningServer:
    """A server that answered its health check."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def output(self) -> str:
        """Return what the server has written to stdout and stderr so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Ask the server to end with SIGTERM, reap it, and return its exit code.

        Whatever is left of its process group after ``STOP_SECONDS`` is killed, and that is a failure.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise ServerFailed(f"did not end within {STOP_SECONDS} s of SIGTERM:\n{self.output()}") from None


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def start_server(
    command: Sequence[str], *, port: int, cwd: Path, env: Mapping[str, str], health: str = "/health"
) -> RunningServer:
    """Start ``command`` in a process group of its own and return it once ``health`` answers 200 on ``port``.

    Raises:
        ServerFailed: it ended before that, or did not answer within ``READY_SECONDS``.
    """
    log = cwd / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(env), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = RunningServer(process, port, log)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if _answers(port, health):
            return server
        try:
            code = process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise ServerFailed(f"ended with {code} before it was ready: {' '.join(command)}\n{server.output()}")
    server.stop()
    raise ServerFailed(f"not ready within {READY_SECONDS} s: {' '.join(command)}\n{server.output()}")
