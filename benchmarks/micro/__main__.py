"""Print the table: ``python -m benchmarks.micro [ROUNDS]``, 5 rounds unless told."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.micro.cases import COMPARISONS, FORMS, SIZES, Form


def timed(form: Form) -> dict[str, float]:
    """Return seconds per call by case, from a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.micro.worker", form.name],
        env=os.environ | {"MLFLOW_ACCEL_IMPL": form.implementation},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def main(rounds: int) -> None:
    """Let the forms take turns, round after round, and print medians over the rounds."""
    taken = [{form.name: timed(form) for form in FORMS} for _ in range(rounds)]
    table = Table(title=f"µs of CPU per call, median of {rounds} rounds, CPython {platform.python_version()}")
    for column in ("", "metrics", "first", "second", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for comparison in COMPARISONS:
        for size in SIZES:
            case = f"{comparison.case}/{size}"
            first = median(one[comparison.form][case] for one in taken)
            second = median(one[comparison.against][case] for one in taken)
            title = comparison.title if size == SIZES[0] else ""
            table.add_row(
                title, str(size), f"{first * 1e6:.2f}", f"{second * 1e6:.2f}", f"{second / first:.2f}"
            )
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
