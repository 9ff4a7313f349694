"""Patches are applied where upstream's code is as it was read, and nowhere else: in every order of events."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from mlflow_accel import patching
from mlflow_accel.errors import UpstreamDrift
from mlflow_accel.patching.fingerprint import Release
from mlflow_accel.patching.model import Manifest, Patch, Review, Seam
from tests.patches.interpreter import isolated

DEFINING = "mlflow.store.db.utils"
HOLDERS = ("mlflow.store.jobs.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store")
NAME = "_get_managed_session_maker"


def _patch(upstream: str, replacement: str, seam: Seam = "attribute", **fields: Any) -> Patch:
    release = Release.installed()
    reviews = (Review((release.version,), {upstream: release.text(upstream)}),)
    patch = Patch("db.sessions", seam, upstream, f"tests.patches.replacements:{replacement}", reviews)
    return replace(patch, **fields)


def _sessions(replacement: str = "marked", **fields: Any) -> Patch:
    return _patch(f"{DEFINING}:{NAME}", replacement, bound_in=HOLDERS, **fields)


def _changed(patch: Patch) -> Patch:
    """Return ``patch`` as if somebody had read another text."""
    [review] = patch.reviews
    return replace(patch, reviews=(replace(review, texts=dict.fromkeys(review.texts, "sha256:" + "0" * 64)),))


def _manifest(*patches: Patch) -> Manifest:
    return Manifest((Release.installed().version,), patches)


def _patcher(*patches: Patch) -> patching.Patcher:
    return patching.Patcher(_manifest(*patches))


def _held() -> list[object]:
    """Return what every module that is imported now has as the session maker."""
    modules = [sys.modules.get(name) for name in (DEFINING, *HOLDERS)]
    return [getattr(module, NAME) for module in modules if isinstance(module, ModuleType)]


def _is_ours(held: object) -> bool:
    return hasattr(held, "ours")


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        logging.getLogger("mlflow_accel.patching").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        assert record.levelno == logging.WARNING
        self.lines.append(record.getMessage())


def _import_holders() -> None:
    for name in HOLDERS:
        importlib.import_module(name)


# Orders of import, apply and revert.


@isolated
def test_apply_then_import() -> None:
    [status] = _patcher(_sessions()).apply_all({"attribute"})
    assert (status.applied, status.reviewed, status.reason) == (True, True, "applied")
    _import_holders()
    assert len(_held()) == 3
    assert all(map(_is_ours, _held()))
    assert len(set(map(id, _held()))) == 1


@isolated
def test_import_then_apply() -> None:
    _import_holders()
    [status] = _patcher(_sessions()).apply_all({"attribute"})
    assert status.applied
    assert len(_held()) == 3
    assert all(map(_is_ours, _held()))


@isolated
def test_import_some_then_apply_then_the_rest() -> None:
    importlib.import_module(HOLDERS[0])
    _patcher(_sessions()).apply_all({"attribute"})
    _import_holders()
    assert len(_held()) == 3
    assert all(map(_is_ours, _held()))


@isolated
def test_applying_twice_is_applying_once() -> None:
    _import_holders()
    patcher = _patcher(_sessions())
    patcher.apply_all({"attribute"})
    once = _held()
    [status] = patcher.apply_all({"attribute"})
    assert status.applied
    assert [held is before for held, before in zip(_held(), once, strict=True)] == [True] * 3
    assert not _is_ours(_held()[0].__wrapped__)  # type: ignore[attr-defined]


@isolated
def test_applying_twice_leaves_what_somebody_put_around_ours() -> None:
    patcher = _patcher(_sessions())
    patcher.apply_all({"attribute"})
    theirs = lambda *arguments: None  # noqa: E731
    setattr(sys.modules[DEFINING], NAME, theirs)
    patcher.apply_all({"attribute"})
    assert _held()[0] is theirs


@isolated
def test_revert_restores_identity() -> None:
    _import_holders()
    [original, *_] = _held()
    patcher = _patcher(_sessions())
    patcher.apply_all({"attribute"})
    patcher.revert()
    assert [held is original for held in _held()] == [True] * 3
    [status] = patcher.report()
    assert (status.reviewed, status.applied) == (True, False)


@isolated
def test_revert_reaches_what_was_imported_after_applying() -> None:
    importlib.import_module(DEFINING)
    [original] = _held()
    patcher = _patcher(_sessions())
    patcher.apply_all({"attribute"})
    _import_holders()
    patcher.revert()
    assert [held is original for held in _held()] == [True] * 3


@isolated
def test_apply_after_revert() -> None:
    _import_holders()
    patcher = _patcher(_sessions())
    patcher.apply_all({"attribute"})
    patcher.revert()
    [status] = patcher.apply_all({"attribute"})
    assert status.applied
    assert all(map(_is_ours, _held()))


@isolated
def test_a_wrapper_that_was_there_before_is_wrapped() -> None:
    import functools

    module = importlib.import_module(DEFINING)
    original = getattr(module, NAME)
    theirs = functools.wraps(original)(lambda *arguments: None)
    setattr(module, NAME, theirs)
    [status] = _patcher(_sessions()).apply_all({"attribute"})
    assert status.applied
    assert _held()[0].__wrapped__ is theirs  # type: ignore[attr-defined]


@isolated
def test_a_function_that_somebody_replaced_is_left() -> None:
    module = importlib.import_module(DEFINING)
    theirs = lambda *arguments: None  # noqa: E731
    setattr(module, NAME, theirs)
    log = _Log()
    [status] = _patcher(_sessions("never")).apply_all({"attribute"})
    assert not status.reviewed
    assert _held()[0] is theirs
    assert len(log.lines) == 1


# What is not as it was read.


@isolated
def test_unknown_release_runs_upstreams_code() -> None:
    log = _Log()
    patcher = patching.Patcher(replace(_manifest(_sessions("never")), releases=("1.2.3", "1.2.4")))
    [status] = patcher.apply_all({"attribute"})
    patcher.apply_all({"attribute"})
    assert (status.reviewed, status.applied) == (False, False)
    assert not any(map(_is_ours, _held()))
    [line] = log.lines
    assert line.startswith("db.sessions: ")
    assert "MLflow 1.2.3 or 1.2.4" in line
    assert f"found MLflow {Release.installed().version}" in line
    assert line.endswith("python -m mlflow_accel.patching check")
    assert status.reason == line


@isolated
def test_release_that_was_not_read_for_one_patch() -> None:
    log = _Log()
    unread = replace(_sessions("never"), reviews=())
    assert not _patcher(unread).apply_all({"attribute"})[0].reviewed
    assert len(log.lines) == 1


@isolated
def test_changed_text_leaves_the_patch_and_what_depends_on_it() -> None:
    log = _Log()
    patcher = _patcher(
        _changed(_sessions("never")),
        _patch(f"{DEFINING}:create_sqlalchemy_engine", "never", id="db.engine", depends_on=("db.sessions",)),
        _patch(f"{DEFINING}:_verify_schema", "never", id="db.schema", depends_on=("db.engine",)),
        _patch(f"{DEFINING}:_all_tables_exist", "marked", id="db.tables"),
    )
    statuses = {status.id: status for status in patcher.apply_all({"attribute"})}
    assert {id for id, status in statuses.items() if status.applied} == {"db.tables"}
    [line] = log.lines
    assert line.startswith("db.sessions, db.engine, db.schema: ")
    assert f"expected {DEFINING}:{NAME} sha256:000000000000, found sha256:" in line
    assert statuses["db.schema"].reason == line
    assert _is_ours(sys.modules[DEFINING]._all_tables_exist)


@isolated
def test_changed_text_of_a_watched_name_counts() -> None:
    log = _Log()
    release = Release.installed()
    target = f"{DEFINING}:{NAME}"
    texts = {target: release.text(target), f"{DEFINING}:gone": "sha256:" + "0" * 64}
    patch = replace(_sessions("never"), reviews=(Review((release.version,), texts),))
    assert not _patcher(patch).apply_all({"attribute"})[0].reviewed
    assert f"{DEFINING}:gone" in log.lines[0]


@isolated
def test_strict_mode_raises_with_every_finding_and_replaces_nothing() -> None:
    os.environ["MLFLOW_ACCEL_STRICT"] = "1"
    patcher = _patcher(
        _patch(f"{DEFINING}:_all_tables_exist", "never", id="db.tables"),
        _changed(_sessions("never")),
        _changed(_patch(f"{DEFINING}:create_sqlalchemy_engine", "never", id="db.engine")),
    )
    with pytest.raises(UpstreamDrift, match=r"(?s)db\.sessions: .*db\.engine: ") as raised:
        patcher.apply_all({"attribute"})
    assert "db.tables" not in str(raised.value)
    with pytest.raises(UpstreamDrift):
        patcher.active("db.engine")
    assert patcher.active("db.tables")


@isolated
def test_strict_mode_is_content_where_nothing_differs() -> None:
    os.environ["MLFLOW_ACCEL_STRICT"] = "1"
    [status] = _patcher(_sessions()).apply_all({"attribute"})
    assert status.applied


# The other seams.


def _health(replacement: str = "shouted", **fields: Any) -> Patch:
    return _patch("mlflow.server:health", replacement, "route", endpoint="health", **fields)


@isolated
def test_route_is_replaced_in_the_app_and_nowhere_else() -> None:
    import mlflow.server

    original = mlflow.server.health
    patcher = _patcher(_health())
    assert not patcher.apply_all({"route"})[0].applied
    assert mlflow.server.app.view_functions["health"] is original
    for _ in range(2):
        [status] = patcher.apply_routes(mlflow.server.app)
        assert status.applied
        assert mlflow.server.app.test_client().get("/health").text == "OK!"
    assert mlflow.server.health is original


@isolated
def test_route_is_replaced_again_in_the_app_of_a_reloaded_module() -> None:
    import mlflow.server

    log = _Log()
    before = mlflow.server.app
    patcher = _patcher(_health())
    patcher.apply_routes(before)
    importlib.reload(mlflow.server)
    assert mlflow.server.app is not before
    patcher.apply_routes(mlflow.server.app)
    assert mlflow.server.app.test_client().get("/health").text == "OK!"
    assert not log.lines


@isolated
def test_hook_that_the_app_takes_at_import_is_ours_after_a_reload() -> None:
    import mlflow.server

    hook = "workspace_teardown_request_handler"
    patch = _patch(f"mlflow.server.workspace_helpers:{hook}", "marked", bound_in=("mlflow.server",))
    _patcher(patch).apply_all({"attribute"})
    importlib.reload(mlflow.server)
    hooks = mlflow.server.app.teardown_request_funcs[None]
    assert [_is_ours(function) for function in hooks if function.__name__ == hook] == [True]


@isolated
def test_view_that_somebody_replaced_is_left() -> None:
    import mlflow.server

    log = _Log()
    theirs: Any = _import_holders
    mlflow.server.app.view_functions["health"] = theirs
    patcher = _patcher(_health("never"))
    for _ in range(2):
        [status] = patcher.apply_routes(mlflow.server.app)
        assert (status.reviewed, status.applied) == (False, False)
    assert mlflow.server.app.view_functions["health"] is theirs
    [line] = log.lines
    assert "tests.patches.test_apply:_import_holders" in line


@isolated
def test_route_with_a_changed_dependency_is_left() -> None:
    import mlflow.server

    log = _Log()
    original = mlflow.server.health
    view = _health("never", id="view", depends_on=("db.sessions",))
    patcher = _patcher(_changed(_sessions("never", seam="subclass")), view)
    assert not patcher.active("db.sessions")
    [status] = patcher.apply_routes(mlflow.server.app)
    assert not status.applied
    assert mlflow.server.app.view_functions["health"] is original
    assert len(log.lines) == 1


@isolated
def test_active_grants_what_was_read() -> None:
    patcher = _patcher(_sessions("never", seam="subclass"))
    [status] = patcher.apply_all({"subclass"})
    assert (status.reviewed, status.applied) == (True, False)
    assert patcher.active("db.sessions")
    assert patcher.report()[0].applied
    with pytest.raises(KeyError):
        patcher.active("db.other")


@isolated
def test_cli_seam_is_passed_over_but_can_be_asked_for() -> None:
    patcher = _patcher(_changed(_sessions("never", seam="cli")))
    log = _Log()
    assert patcher.apply_all({"cli", "attribute"}) == []
    assert not log.lines
    assert not patcher.active("db.sessions")
    assert len(log.lines) == 1


@isolated
def test_report_covers_the_manifest_without_logging() -> None:
    from mlflow_accel.patching.manifest import MANIFEST

    log = _Log()
    os.environ["MLFLOW_ACCEL_STRICT"] = "1"
    report = patching.report()
    assert [status.id for status in report] == [patch.id for patch in MANIFEST.patches]
    assert all(status.reviewed and not status.applied for status in report)
    assert not log.lines
