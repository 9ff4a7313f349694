"""``mlflow-accel``: upstream's commands, with ``server`` and ``ui`` replaced, and ``status`` and ``doctor`` added."""

from __future__ import annotations

import sys


def _command(arguments: list[str]) -> str:
    """Return the name of the command in ``arguments``, found without importing anything: '' where there is none."""
    words = iter(arguments)
    for word in words:
        if word == "--env-file":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def main() -> None:
    """Run the command line of this process.

    Whether to patch is decided before MLflow is imported, for the two commands that serve; every other command runs
    upstream's code in an unpatched process.
    """
    if _command(sys.argv[1:]) in ("server", "ui"):
        from mlflow_accel.server import startup

        startup.begin()
    from mlflow_accel.commands import cli

    cli(prog_name="mlflow-accel")


if __name__ == "__main__":
    main()
