"""Run a test in an interpreter of its own: what is imported, and when, is then the test's to say."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def isolated(test: Callable[[], None]) -> Callable[[], None]:
    """Make ``test``, which takes no fixtures, run in a fresh interpreter without any MLflow setting."""

    @functools.wraps(test)
    def run() -> None:
        code = f"from {test.__module__} import {test.__name__} as test; test.__wrapped__()"
        kept = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
        environment = {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]), "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run
