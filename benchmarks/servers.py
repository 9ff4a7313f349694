"""A running server: started on a database, watched and stopped."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import processes
from benchmarks.kinds import Kind, Options, environment_of
from benchmarks.postgres import free_port

REPOSITORY = Path(__file__).parent.parent
START_SECONDS = 120.0
STOP_SECONDS = 20.0
SETTLE_SECONDS = 60.0
CALM_SECONDS = 5.0
CALM_SHARE = 0.15
"""Of a core: below this, a server does nothing but wait."""
PAUSE = 0.5
QUIET_SECONDS = 30.0
QUIET_PAUSE = 0.2
QUIET_SHARE = 0.3
"""Of a core: two requests more would use it up."""


class NotAvailable(RuntimeError):
    """A server that did not start here; the message says why."""


class Server:
    """A running server of one kind."""

    def __init__(self, kind: Kind, port: int, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.kind = kind
        self.port = port
        self.log = log
        self._process = process
        self.start_seconds = 0.0
        """From the start of the process to the first 200 of ``/health``."""

    def tree(self) -> list[processes.Process]:
        """Return the server's processes, as they are now."""
        return processes.tree(self._process.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds used since the start, by ended processes too."""
        return processes.cpu_seconds(self.tree())

    def pss_bytes(self) -> int:
        """Return the proportional set size of the whole tree."""
        return processes.pss_bytes(self.tree())

    def wait_until_healthy(self, since: float) -> None:
        """Wait for the first 200 of ``/health`` and keep the seconds from ``since`` (monotonic) until then.

        Raises:
            NotAvailable: the server ended, or did not answer in ``START_SECONDS``.
        """
        end = since + START_SECONDS
        while time.monotonic() < end:
            if self._answers():
                self.start_seconds = time.monotonic() - since
                return
            if self._process.poll() is not None:
                raise NotAvailable(f"ended with {self._process.returncode} at start: {self._last_words()}")
            time.sleep(0.01)
        raise NotAvailable(f"no answer from /health in {START_SECONDS:.0f} s: {self._last_words()}")

    def wait_until_settled(self) -> None:
        """Wait until it has come to rest (see below)."""
        wait_until_settled([self])

    def is_well(self) -> bool:
        """Return whether it runs and answers ``/health``."""
        return self._process.poll() is None and self._answers()

    def stop(self) -> None:
        """End the process and all that it started: politely first, by force after ``STOP_SECONDS``."""
        started = {process.pid for process in self.tree()}
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        # Only what is still ours: a pid of before may be another's by now.
        ours = {process.pid for process in [*self.tree(), *processes.tree(os.getpid())]}
        for pid in started & ours:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        for pid in started - {self._process.pid}:
            with suppress(ChildProcessError):  # not adopted
                os.waitpid(pid, 0)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][-300:] if lines else "it said nothing"


def wait_until_quiet(cpu_seconds: Callable[[], float]) -> None:
    """Wait until what ``cpu_seconds`` sums up is at rest; ``QUIET_SECONDS`` at most.

    Requests whose clients have left are done with then.
    """
    end = time.monotonic() + QUIET_SECONDS
    previous, since = cpu_seconds(), time.monotonic()
    while time.monotonic() < end:
        time.sleep(QUIET_PAUSE)
        used, now = cpu_seconds(), time.monotonic()
        if used - previous <= QUIET_SHARE * (now - since):
            return
        previous, since = used, now


def wait_until_settled(servers: Sequence[Server]) -> None:
    """Wait until the same processes used next to no CPU for ``CALM_SECONDS``; ``SETTLE_SECONDS`` at most.

    Some servers start helper processes long after their first answer, which would share the first turn.
    """
    end = time.monotonic() + SETTLE_SECONDS
    calm_since, pids, cpu = time.monotonic(), frozenset[int](), 0.0
    while time.monotonic() < min(end, calm_since + CALM_SECONDS):
        time.sleep(PAUSE)
        trees = [process for server in servers for process in server.tree()]
        now_pids, now_cpu = frozenset(process.pid for process in trees), processes.cpu_seconds(trees)
        if now_pids != pids or now_cpu - cpu > CALM_SHARE * PAUSE * len(servers):
            calm_since = time.monotonic()
        pids, cpu = now_pids, now_cpu


@contextmanager
def running(
    kind: Kind, uri: str, workers: int, logs: Path, artifacts: str | None = None
) -> Iterator[Server]:
    """Start a server of ``kind`` on the database ``uri`` and stop it at the end; its output goes to ``logs``.

    ``artifacts`` is the store of its artifacts; None: a directory that ends with it.

    Raises:
        NotAvailable: it did not start.
    """
    port = free_port()
    log = logs / f"{kind.name}-{port}.log"
    with (
        tempfile.TemporaryDirectory(prefix="server-", ignore_cleanup_errors=True) as home,
        log.open("wb") as out,
    ):
        environment = environment_of(kind)
        program, *arguments = kind.command(
            Options(port, workers, uri, artifacts or str(Path(home, "artifacts")))
        )
        since = time.monotonic()
        process = subprocess.Popen(
            [shutil.which(program, path=environment["PATH"]) or program, *arguments],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        server = Server(kind, port, log, process)
        try:
            server.wait_until_healthy(since)
            yield server
        finally:
            server.stop()
