"""Run the probe, and read and write the stored figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.postgres import PostgresDatabases
from tests.support.processes import clean_environment

STORED = Path(__file__).with_name("stored.json")
ROOT = Path(__file__).parents[2]
PROBE_SECONDS = 300

Costs = dict[str, dict[str, float]]


def stored() -> Costs:
    """Return the stored figures, by workload."""
    found: Costs = json.loads(STORED.read_text()) if STORED.exists() else {}
    return found


def store(costs: Costs) -> None:
    """Keep figures, one workload a line."""
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(found)}" for name, found in costs.items())
    STORED.write_text(f"{{\n{lines}\n}}\n")


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
