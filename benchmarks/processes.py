"""CPU time, memory and connections of a process and all that it started, read from ``/proc`` (Linux only)."""

from __future__ import annotations

import ctypes
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
ESTABLISHED = "01"  # a state in /proc/net/tcp


PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


@dataclass(frozen=True)
class Process:
    """One process; CPU times in seconds, with a resolution of one clock tick (10 ms)."""

    pid: int
    parent: int
    session: int
    cpu: float
    """User and system time of the process itself."""
    children_cpu: float
    """The same of its children that ended and were waited for, theirs included."""

    def command(self) -> str:
        """Return the command line, or an empty string once the process has ended."""
        return _read(PROC / str(self.pid) / "cmdline").replace("\0", " ").strip()


def tree(root: int) -> list[Process]:
    """Return ``root``, its descendants, and whoever belongs to the session that ``root`` leads.

    The session finds processes whose parent has ended; descendants, those that opened a session of their own.
    """
    everyone = [process for pid in _pids() if (process := _process(pid)) is not None]
    members = {process.pid for process in everyone if root in (process.pid, process.session)}
    grown = True
    while grown:
        more = {process.pid for process in everyone if process.parent in members} - members
        members |= more
        grown = bool(more)
    return [process for process in everyone if process.pid in members]


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends, so that no CPU time is lost."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cpu_seconds(processes: Iterable[Process]) -> float:
    """Return the CPU seconds that these processes and their ended children have used since they started."""
    return sum(process.cpu + process.children_cpu for process in processes)


def machine_cpu_seconds() -> float:
    """Return the CPU seconds that all programs used since the machine started, stolen time included."""
    user, nice, system, _idle, _iowait, *interrupts_and_steal = map(int, _read(PROC / "stat").split()[1:9])
    return (user + nice + system + sum(interrupts_and_steal)) / TICKS_PER_SECOND


def pss_bytes(processes: Iterable[Process]) -> int:
    """Return the proportional set size: private memory, and of shared pages each process's part."""
    total = 0
    for process in processes:
        found = re.search(r"^Pss:\s+(\d+) kB", _read(PROC / str(process.pid) / "smaps_rollup"), re.MULTILINE)
        total += int(found[1]) * 1024 if found else 0
    return total


def connections(processes: Iterable[Process], port: int) -> Counter[int]:
    """Return how many established connections to the local TCP ``port`` each process (by pid) holds open."""
    sockets = {f"socket:[{inode}]" for inode in _established(port)}
    held: Counter[int] = Counter()
    for process in processes:
        held[process.pid] = len(sockets & _descriptors(process.pid))
    return +held


def _established(port: int) -> set[str]:
    inodes = set()
    for line in _read(PROC / "self/net/tcp").splitlines()[1:]:
        fields = line.split()
        if fields[3] == ESTABLISHED and int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(fields[9])
    return inodes


def _descriptors(pid: int) -> set[str]:
    targets = set()
    try:
        for entry in os.scandir(PROC / str(pid) / "fd"):
            try:
                targets.add(os.readlink(entry.path))
            except OSError:
                continue  # closed since the listing
    except OSError:
        pass  # ended since the listing
    return targets


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdigit()]


def _process(pid: int) -> Process | None:
    # The command in parentheses may hold parentheses itself; the fields of proc(5) go on after the last one.
    fields = _read(PROC / str(pid) / "stat").rpartition(")")[2].split()
    if not fields:
        return None
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return Process(pid, int(fields[1]), int(fields[3]), own / TICKS_PER_SECOND, children / TICKS_PER_SECOND)


def _read(path: Path) -> str:
    """Return the text of a file of a process, or nothing where it has ended or is not ours to read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
