"""What makes the start short. Imported before anything else, by the command line and by gunicorn's settings.

Nothing here changes what runs: only when it is loaded, and how often it is looked up.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any

DEFERRED = ("aiohttp",)
"""Modules that upstream imports and uses only within functions, which the server's routes do not call.

PERF: aiohttp takes 0.07 of the 1.4 s in which MLflow is imported.
"""

UNPATCHED = "_MLFLOW_ACCEL_UNPATCHED"
"""Set in the environment of a server whose workers run an event loop of their own instead of gevent's: see ``asgi``."""

_starting = False


def begin() -> None:
    """Patch the standard library for gevent, if it is wanted, and load quickly from here on, until :func:`end`."""
    global _starting
    if _starting:
        return
    _starting = True
    # PERF: the collector takes 0.45 of the 1.8 s in which MLflow is imported, and finds nothing to collect.
    gc.disable()
    _remember_entry_points()
    sys.meta_path.insert(0, _Deferring())
    if UNPATCHED not in os.environ:
        from gevent import monkey

        monkey.patch_all()
    _build_no_routes()


def end() -> None:
    """Go back to the usual: the server is loaded, and is about to fork."""
    global _starting
    _starting = False
    # PERF: no later pass of the collector writes to, and so copies, the pages that the workers share. A pass before
    # this would take 0.25 s, and made no difference to the memory of the process tree.
    gc.freeze()
    gc.enable()


def _remember_entry_points() -> None:
    """Read the entry points of the installed distributions once while the server starts.

    PERF: gevent and MLflow ask for some 45 groups, one by one, and each time all files are read: 3 ms with 200
    distributions.
    """
    read = importlib.metadata.entry_points
    everything: Any = None

    def entry_points(**selected: Any) -> Any:
        nonlocal everything
        if not (_starting and selected):
            return read(**selected)
        if everything is None:
            everything = read()
        return everything.select(**selected)

    importlib.metadata.entry_points = entry_points


class _Deferring(MetaPathFinder):
    """Loads the modules of ``DEFERRED`` when an attribute of theirs is asked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _starting or fullname not in DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, Loader):
            spec.loader = LazyLoader(spec.loader)
        return spec


_add_url_rule: Callable[..., None] | None = None


def _build_no_routes() -> None:
    """Leave upstream's application without routes: importing ``mlflow.cli`` builds one that is thrown away.

    PERF: 0.06 s, and 3 MB that nobody would collect.
    """
    global _add_url_rule
    from flask import Flask

    _add_url_rule = add = Flask.add_url_rule

    def add_url_rule(self: Flask, *arguments: Any, **keywords: Any) -> None:
        if self.import_name != "mlflow.server":
            add(self, *arguments, **keywords)

    Flask.add_url_rule = add_url_rule  # type: ignore[method-assign, assignment]


def build_routes() -> None:
    """Let upstream's application have routes from here on: the one that is loaded next is served."""
    global _add_url_rule
    if _add_url_rule is not None:
        from flask import Flask

        Flask.add_url_rule, _add_url_rule = _add_url_rule, None  # type: ignore[method-assign]
