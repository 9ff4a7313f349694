"""Job functions for the tests of the job runner: they note in a file that they begin, and that they end."""

from __future__ import annotations

import time
from pathlib import Path

from mlflow.entities._job import JobProgress
from mlflow.server.jobs import job
from mlflow.server.jobs.progress import update_job_progress

FUNCTIONS = {
    "_MLFLOW_SUPPORTED_JOB_FUNCTION_LIST": "tests.servers.job_functions.note",
    "_MLFLOW_ALLOWED_JOB_NAME_LIST": "note",
    "PYTHONPATH": str(Path(__file__).parents[2]),
}
"""The environment in which a server knows them."""


@job(name="note", max_workers=2)
def note(path: str, name: str, seconds: float = 0.0) -> str:
    """Note ``begin name`` and, ``seconds`` later, ``end name`` in the file ``path``.

    A job that takes time says how far it is. One that is taken up again takes none.
    """
    notes = Path(path)
    again = notes.exists() and f"begin {name}" in notes.read_text().splitlines()
    if seconds:
        update_job_progress(message=f"noting {name}", progress=JobProgress("noting", 1, 2, "lines"))
    with notes.open("a") as file:
        file.write(f"begin {name}\n")
    if not again:
        time.sleep(seconds)
    with notes.open("a") as file:
        file.write(f"end {name}\n")
    return name
