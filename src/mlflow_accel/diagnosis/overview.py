"""What is installed here, and which servers of this user run now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow_accel import __version__
from mlflow_accel.server import runtime, status


def collect() -> dict[str, Any]:
    """Return the installation's facts (see :func:`mlflow_accel.server.status.installation`) and ``servers``.

    Nothing is replaced in this process: of the patches it can say only whether they would be.
    """
    servers = [_server(pid, path) for pid, path in sorted(runtime.servers().items())]
    return {**status.installation(), "servers": servers}


def _server(pid: int, path: Path) -> dict[str, Any]:
    """Return what a server has said of itself (nothing while it starts), its workers, and its counts.

    ``requests`` is None for a server of another version: it may count other things, in another order.
    """
    facts = runtime.facts(path)
    counts = runtime.requests(path) if is_readable(facts) else None
    return {
        "pid": pid,
        "workers": runtime.workers(path),
        "cold_worker": runtime.cold_worker(path),
        **facts,
        "requests": counts,
        "fast_share": None
        if counts is None
        else {name: _share(outcomes) for name, outcomes in counts.items()},
    }


def is_readable(facts: dict[str, Any]) -> bool:
    """Return whether facts were written by this version of the package."""
    version: object = facts.get("versions", {}).get("mlflow-accel")
    return version == __version__


def _share(outcomes: dict[str, int]) -> float | None:
    """Return the share of requests that were answered fast, 0 to 1; None where there were none."""
    total = sum(outcomes.values())
    return outcomes.get("fast", 0) / total if total else None
