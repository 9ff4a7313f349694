"""The one place that decides between compiled modules and their plain twins.

A Cython kernel has three files: ``_batch_c.pyx`` (compiled), ``_batch_py.py`` (its twin, the specification) and
``batch.py``, which imports from one of them as ``COMPILED`` here says. A module that mypyc compiles is its own twin:
the same ``.py`` runs both ways, and ``python`` makes the import system pass the extension by.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

from mlflow_accel import config
from mlflow_accel.errors import ImplementationMissing

PACKAGE = Path(__file__).parent

CYTHON_MODULES = (
    "mlflow_accel.kernels._arrays_c",
    "mlflow_accel.kernels._batch_c",
    "mlflow_accel.kernels._rows_c",
)
MYPYC_MODULES = ("mlflow_accel.store.columns",)
"""The modules that a compiled build contains; ``setup.py`` has them as files, and a test compares the two."""


def _extension(module: str) -> Path | None:
    """Return the extension file of ``module``, or None where it was not built."""
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    for suffix in EXTENSION_SUFFIXES:
        path = stem.with_name(stem.name + suffix)
        if path.exists():
            return path
    return None


class _PlainFinder(MetaPathFinder):
    """Finds the ``.py`` of a mypyc module although an extension, which Python prefers, lies beside it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MYPYC_MODULES:
            return None
        source = str(PACKAGE.joinpath(*fullname.split(".")[1:]).with_suffix(".py"))
        return importlib.util.spec_from_file_location(fullname, source, loader=SourceFileLoader(fullname, source))


def _decide() -> bool:
    wanted = config.IMPL.get()
    missing = [module for module in CYTHON_MODULES + MYPYC_MODULES if _extension(module) is None]
    if wanted == "python":
        sys.meta_path.insert(0, _PlainFinder())
        return False
    if wanted == "compiled" and missing:
        raise ImplementationMissing(
            f"MLFLOW_ACCEL_IMPL=compiled, but these modules are not built: {', '.join(missing)}. "
            "Reinstall with MLFLOW_ACCEL_BUILD=compiled and a C compiler, or unset MLFLOW_ACCEL_IMPL."
        )
    if missing and len(missing) < len(CYTHON_MODULES + MYPYC_MODULES):
        raise ImplementationMissing(
            f"this installation is half built; missing: {', '.join(missing)}. Reinstall mlflow-accel."
        )
    return not missing


COMPILED: bool = _decide()
"""Whether the compiled modules run in this process."""


def implementation() -> str:
    """Return ``compiled`` or ``python``."""
    return "compiled" if COMPILED else "python"


def modules() -> dict[str, str]:
    """Return each module that can be compiled, with the form in which it runs here."""
    return {name: implementation() for name in CYTHON_MODULES + MYPYC_MODULES}
