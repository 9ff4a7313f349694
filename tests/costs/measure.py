"""Run the probe, and read and write the stored figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import PostgresDatabases
from tests.support.processes import clean_environment

STORED = Path(__file__).with_name("stored.json")
ROOT = Path(__file__).parents[2]
PROBE_SECONDS = 300

Costs = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Stored:
    """What requests cost when they were measured last."""

    python: str
    """The release of Python that the calls were counted with: others inline more, or less."""
    costs: Costs


def stored() -> Stored:
    """Return the stored figures."""
    return Stored(**json.loads(STORED.read_text()))


def store(costs: Costs) -> None:
    """Keep figures, one workload a line."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in costs.items())
    STORED.write_text(f'{{\n "python": "{python()}",\n "costs": {{\n{lines}\n }}\n}}\n')


def python() -> str:
    """Return the release that runs, as ``3.11``."""
    return ".".join(map(str, sys.version_info[:2]))


def measured(databases: PostgresDatabases, names: Sequence[str]) -> Costs:
    """Return the figures as they are now."""
    uri = databases.fresh()
    command = [sys.executable, "-m", "tests.costs.probe", uri, str(databases.logged(uri)), *names]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PROBE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: Costs = json.loads(done.stdout.splitlines()[-1])
    return found
