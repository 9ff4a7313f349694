"""``bound_in`` names every upstream module that holds a replaced object; endpoints serve what we replace."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path

from mlflow_accel.patching import fingerprint
from mlflow_accel.patching.manifest import MANIFEST
from mlflow_accel.patching.model import Patch
from tests.patches.interpreter import isolated

PATCHES = [patch for patch in MANIFEST.patches if patch.seam == "attribute"]

SERVED = (
    "mlflow.cli",
    "mlflow.server.auth",
    "mlflow.server.fastapi_app",
    "mlflow.server.jobs.utils",
    "mlflow.store.jobs.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "mlflow.store.workspace.sqlalchemy_store",
    "mlflow.tracing.trace_rollup_service",
)
"""What a server imports, at once or later."""


def _holder(patch: Patch) -> set[str]:
    """Return the module that defines the target; a method is held by its class alone."""
    module, _, attribute = patch.upstream.partition(":")
    return set() if "." in attribute else {module}


def _listed(patch: Patch) -> set[str]:
    return _holder(patch) | set(patch.bound_in)


@isolated
def test_every_binding_in_a_server_is_listed() -> None:
    # The auth app reads its key when it is imported.
    os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "for the test"
    originals = [fingerprint.resolve(patch.upstream) for patch in PATCHES]
    for module in SERVED:
        importlib.import_module(module)
    for patch, original in zip(PATCHES, originals, strict=True):
        attribute = patch.upstream.partition(":")[2]
        found = {
            (name, key)
            for name, module in sys.modules.items()
            for key, value in vars(module).items()
            if value is original
        }
        # What only runs as a program of its own is not imported here; see the next test.
        listed = {(module, attribute) for module in _listed(patch) if module in sys.modules}
        assert found == listed, f"{patch.id}: missing {found - listed}, in vain {listed - found}"


@isolated
def test_every_import_in_upstreams_files_is_listed() -> None:
    import mlflow

    root = Path(mlflow.__file__).parents[1]
    names = {patch.upstream.partition(":")[2] for patch in PATCHES}
    found = {patch.id: _holder(patch) for patch in PATCHES}
    for file in (root / "mlflow").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if not any(name in text for name in names):
            continue
        module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        imported = {
            f"{node.module}:{alias.name}"
            for node in ast.parse(text).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for patch in PATCHES:
            if patch.upstream in imported:
                found[patch.id].add(module)
    assert found == {patch.id: _listed(patch) for patch in PATCHES}


@isolated
def test_endpoints_serve_the_targets() -> None:
    from mlflow.server import app

    routes = [patch for patch in MANIFEST.patches if patch.seam == "route"]
    assert routes
    for patch in routes:
        assert app.view_functions[patch.endpoint] is fingerprint.resolve(patch.upstream), patch.id


@isolated
def test_command_line_calls_the_name_that_is_replaced() -> None:
    import mlflow.server

    [patch] = [patch for patch in MANIFEST.patches if patch.seam == "cli"]
    assert "_exec_cmd" in mlflow.server._run_server.__code__.co_names
    assert mlflow.server._run_server.__globals__["_exec_cmd"] is fingerprint.resolve(patch.upstream)
