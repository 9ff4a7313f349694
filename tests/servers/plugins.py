"""Plugins for MLflow, installed by lying on PYTHONPATH with an entry point each."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.processes import clean_environment


def installed(directory: Path, source: str, group: str, *entry_points: str) -> dict[str, str]:
    """Write a module ``plugged`` with ``source`` and its metadata into ``directory``.

    Returns the environment in which a server finds it. An entry point: ``name = plugged:attribute``.
    """
    (directory / "plugged.py").write_text(source)
    metadata = directory / "plugged-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *entry_points, ""]))
    return {"PYTHONPATH": os.pathsep.join([str(directory), clean_environment()["PYTHONPATH"]])}
