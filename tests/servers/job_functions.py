"""Job functions for the tests of the job runner: they note in a file that they begin, and that they end."""

from __future__ import annotations

import time
from pathlib import Path

from mlflow.server.jobs import job

FUNCTIONS = {
    "_MLFLOW_SUPPORTED_JOB_FUNCTION_LIST": "tests.servers.job_functions.note",
    "_MLFLOW_ALLOWED_JOB_NAME_LIST": "note",
    "PYTHONPATH": str(Path(__file__).parents[2]),
}
"""The environment in which a server knows them."""


@job(name="note", max_workers=2)
def note(path: str, name: str, seconds: float = 0.0) -> str:
    """Note ``begin name`` and, ``seconds`` later, ``end name`` in the file ``path``."""
    with Path(path).open("a") as file:
        file.write(f"begin {name}\n")
    time.sleep(seconds)
    with Path(path).open("a") as file:
        file.write(f"end {name}\n")
    return name
