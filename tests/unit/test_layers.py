"""Nothing imports upward, and every module can be imported first."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_accel import _impl

LAYERS = (
    {"cli", "commands", "app"},
    {"diagnosis"},
    {"server"},
    {"handlers"},
    {"artifacts"},
    {"store"},
    {"sql"},
    {"kernels"},
    {"counters"},
    {"threads"},
    {"_impl"},
    {"config"},
    {"errors"},
)
"""Top to bottom. A module imports its own layer and those below; ``patching`` stands beside, see below."""

PATCHING_USERS = {"cli", "commands", "app", "server", "diagnosis", "patching"}
"""Who may import ``patching``; it names its targets as strings."""

ROOT = _impl.PACKAGE
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")


def _layer(room: str) -> int:
    return next(i for i, rooms in enumerate(LAYERS) if room in rooms)


def _rooms(path: Path) -> set[str]:
    """Return the rooms of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "mlflow_accel"
            names = [f"{node.module}.{alias.name}" if whole else node.module for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("mlflow_accel.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_upward(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    used = _rooms(path)
    if room == "patching":
        assert used <= {"patching", "config", "errors"}
        return
    if room not in PATCHING_USERS:
        assert "patching" not in used
    above = {other for other in used - {"patching"} if _layer(other) < _layer(room)}
    assert not above


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, mlflow_accel; print([m for m in ('mlflow', 'gevent', 'sqlalchemy', 'flask') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
