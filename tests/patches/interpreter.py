"""Run a test in an interpreter of its own: what is imported, and when, is then the test's to say."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.processes import clean_environment

ROOT = Path(__file__).parents[2]


def isolated(test: Callable[[], None]) -> Callable[[], None]:
    """Make ``test``, which takes no fixtures, run in a fresh interpreter without any MLflow setting."""

    @functools.wraps(test)
    def run() -> None:
        code = f"from {test.__module__} import {test.__name__} as test; test.__wrapped__()"
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = clean_environment({"PYTHONPATH": path})
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run
