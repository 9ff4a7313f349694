"""The private directory of a running server, named by its arbiter's pid; all its workers share it.

It holds ``server.json`` (what the server is, for ``mlflow-accel status``) and one counter file per worker.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mlflow_accel import config, counters
from mlflow_accel.errors import AccelError


def _root() -> Path:
    return Path(config.RUNTIME_DIR.get() or tempfile.gettempdir()) / f"mlflow-accel-{os.getuid()}"


def directory(arbiter_pid: int) -> Path:
    """Return the directory of the server whose arbiter is ``arbiter_pid``, made if it is missing.

    Raises:
        AccelError: another user owns a directory of that name.
    """
    path = _root() / str(arbiter_pid)
    for folder in (path.parent, path):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise AccelError(
                f"{folder} belongs to another user; remove it, or set {config.RUNTIME_DIR.name} to a directory of "
                "your own."
            )
    return path


_arbiter_pid = 0


def set_arbiter(pid: int) -> None:
    """Say which process the arbiter is; it does so itself, before it forks."""
    global _arbiter_pid
    _arbiter_pid = pid


def arbiter_pid() -> int:
    """Return the arbiter's pid: as it said, or, where gunicorn runs without our settings, this worker's parent."""
    return _arbiter_pid or os.getppid()


def is_arbiter() -> bool:
    """Return whether this process is the arbiter, started with our settings."""
    return _arbiter_pid == os.getpid()


def attach() -> None:
    """Keep this worker's counters in the server's directory, and who the arbiter is: no process is, once it is dead."""
    set_arbiter(arbiter_pid())
    counters.attach(directory(arbiter_pid()) / f"counters-{os.getpid()}")


def share(name: str, values: dict[str, str]) -> dict[str, str]:
    """Return the values under ``name`` that all workers of this server share: those of whoever came first."""
    path = directory(arbiter_pid()) / f"{name}.json"
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(values))
    try:
        os.link(draft, path)
    except FileExistsError:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    finally:
        draft.unlink()
    return values


_locked = threading.Lock()


@contextmanager
def locked(name: str) -> Iterator[TextIO]:
    """Hold the lock ``name`` of this server, which one greenlet or thread of one worker has at a time.

    Yields the lock's file, to be read and written. To be held for moments: whoever waits, waits with all its requests.
    """
    # The system's lock does not tell one greenlet of a process from another, and would wait for itself.
    with _locked, (directory(arbiter_pid()) / name).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def address() -> tuple[str, int] | None:
    """Return the first host and port at which the server listens, as far as it said so."""
    found = facts(directory(arbiter_pid())).get("addresses", [])
    return next(((a[0], a[1]) for a in found if not isinstance(a, str)), None)


def is_alive(pid: str) -> bool:
    """Return whether ``pid`` (digits, or '') names a process that runs; a zombie does not."""
    try:
        os.kill(int(pid), 0)
        state = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0]
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    except FileNotFoundError:
        # Either it has just ended, or the system has no /proc.
        return not Path("/proc/self").exists()
    return state != "Z"


def describe(arbiter_pid: int, facts: dict[str, Any]) -> None:
    """Write ``server.json``, whole or not at all."""
    path = directory(arbiter_pid) / "server.json"
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(facts))
    draft.replace(path)


def facts(path: Path) -> dict[str, Any]:
    """Return what the server whose directory is ``path`` has said of itself; nothing while it starts."""
    try:
        return json.loads((path / "server.json").read_text())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def remove(arbiter_pid: int) -> None:
    """Remove the server's directory."""
    shutil.rmtree(_root() / str(arbiter_pid), ignore_errors=True)


def servers() -> dict[int, Path]:
    """Return the directories of this user's servers that run now, by arbiter pid; those of dead ones are removed."""
    found = {}
    for path in sorted(_root().glob("[0-9]*")):
        pid = int(path.name)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            remove(pid)
        except PermissionError:
            continue
        else:
            found[pid] = path
    return found


def workers(path: Path) -> list[int]:
    """Return the pids of the workers that run now, of the server whose directory is ``path``."""
    pids = (file.name.removeprefix("counters-") for file in path.glob("counters-*"))
    return sorted(int(pid) for pid in pids if is_alive(pid))


def cold_worker(path: Path) -> int | None:
    """Return the pid of the cold worker that runs now, of the server whose directory is ``path``; None: it has none."""
    file = path / "cold.pid"
    pid = file.read_text() if file.exists() else ""
    return int(pid) if is_alive(pid) else None


def requests(path: Path) -> dict[str, dict[str, int]]:
    """Return the counts of the server whose directory is ``path``: ``{endpoint: {outcome: requests}}``."""
    return counters.total(sorted(path.glob("counters-*")))
