"""Which modules are compiled, and that each process runs the form it was asked for."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from mlflow_accel import _impl

ROOT = _impl.PACKAGE.parent
REPOSITORY = Path(__file__).parents[2]
MODULES = _impl.CYTHON_MODULES + _impl.MYPYC_MODULES


def _file(module: str, suffix: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(suffix)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _setup_lists() -> dict[str, list[str]]:
    tree = ast.parse((REPOSITORY / "setup.py").read_text())
    assigned = {ast.unparse(n.targets[0]): n.value for n in tree.body if isinstance(n, ast.Assign)}
    return {name: ast.literal_eval(assigned[name]) for name in ("CYTHON_MODULES", "MYPYC_MODULES")}


def _run(code: str, path: Path = ROOT, impl: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter that finds the package under ``path``."""
    env = {k: v for k, v in os.environ.items() if k != "MLFLOW_ACCEL_IMPL"} | {"PYTHONPATH": str(path)}
    if impl is not None:
        env["MLFLOW_ACCEL_IMPL"] = impl
    return subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def pure_tree(tmp_path: Path) -> Path:
    """A copy of the package without any extension."""
    built = shutil.ignore_patterns("__pycache__", "*.c", *(f"*{suffix}" for suffix in EXTENSION_SUFFIXES))
    shutil.copytree(_impl.PACKAGE, tmp_path / "mlflow_accel", ignore=built)
    return tmp_path


def _add_extension(tree: Path, module: str) -> None:
    """Put a file beside ``module`` that looks like its extension, and fails when it is loaded."""
    stem = tree.joinpath(*module.split("."))
    stem.with_name(stem.name + EXTENSION_SUFFIXES[0]).write_bytes(b"not a library")


def test_the_lists_name_every_module_that_can_be_compiled() -> None:
    lists = _setup_lists()
    assert {_module(ROOT / path.removeprefix("src/")) for path in lists["CYTHON_MODULES"]} == set(_impl.CYTHON_MODULES)
    assert {_module(ROOT / path.removeprefix("src/")) for path in lists["MYPYC_MODULES"]} == set(_impl.MYPYC_MODULES)
    assert {_module(path) for path in _impl.PACKAGE.rglob("*.pyx")} == set(_impl.CYTHON_MODULES)


@pytest.mark.parametrize("module", _impl.CYTHON_MODULES)
def test_a_kernel_has_a_twin_and_a_short_dispatcher(module: str) -> None:
    stem = module.removesuffix("_c")
    twin = _file(f"{stem}_py", ".py")
    dispatcher = twin.with_name(twin.name.removeprefix("_").replace("_py.py", ".py"))
    assert twin.exists()
    assert len(dispatcher.read_text().splitlines()) < 20


@pytest.mark.parametrize("module", MODULES)
def test_what_reports_itself_compiled_is_compiled(module: str) -> None:
    form = _impl.modules()[module]
    if form == "python" and module in _impl.CYTHON_MODULES:
        assert module not in sys.modules
        module = module.removesuffix("_c") + "_py"
    file = importlib.import_module(module).__file__
    assert file is not None
    assert file.endswith(tuple(EXTENSION_SUFFIXES) if form == "compiled" else ".py")


def test_python_passes_every_extension_by(pure_tree: Path) -> None:
    for module in MODULES:
        _add_extension(pure_tree, module)
    code = f"""
import importlib
for module in {_impl.MYPYC_MODULES}:
    print(importlib.import_module(module).__file__)
for module in {_impl.CYTHON_MODULES}:
    dispatcher = importlib.import_module(module.replace("._", ".").removesuffix("_c"))
    print(importlib.import_module(module.removesuffix("_c") + "_py").__file__)
"""
    done = _run(code, pure_tree, "python")
    assert done.returncode == 0, done.stderr
    files = done.stdout.split()
    assert len(files) == len(MODULES)
    assert all(file.startswith(str(pure_tree)) and file.endswith(".py") for file in files)


def test_compiled_on_a_pure_tree_is_refused(pure_tree: Path) -> None:
    done = _run("import mlflow_accel._impl", pure_tree, "compiled")
    assert "ImplementationMissing" in done.stderr
    assert all(module in done.stderr for module in MODULES)


def test_unset_on_a_pure_tree_runs_the_twins(pure_tree: Path) -> None:
    done = _run("from mlflow_accel import _impl; print(_impl.implementation())", pure_tree)
    assert done.stdout == "python\n", done.stderr


@pytest.mark.skipif(len(MODULES) < 2, reason="needs two modules that can be compiled")
def test_half_a_build_is_refused(pure_tree: Path) -> None:
    _add_extension(pure_tree, MODULES[0])
    done = _run("import mlflow_accel._impl", pure_tree)
    assert "ImplementationMissing" in done.stderr
    assert MODULES[0] not in done.stderr.splitlines()[-1]


def test_a_value_that_means_nothing_is_refused() -> None:
    done = _run("import mlflow_accel._impl", impl="fortran")
    assert "ConfigurationError" in done.stderr


def test_importing_our_modules_leaves_subnormal_numbers_alone() -> None:
    # A library that is linked with -ffast-math makes the whole process flush them to zero.
    imports = ", ".join(name for name in ("mlflow_accel.kernels.batch", *_impl.MYPYC_MODULES))
    done = _run(f"import {imports}, sys; print(sys.float_info.min / 2 != 0.0)")
    assert done.stdout == "True\n", done.stderr
