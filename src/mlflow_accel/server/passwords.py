"""basic-auth's password hashes, computed in gevent's thread pool: some 90 ms each, several for a request.

Hashing holds no lock, and lets go of the interpreter's. Every request is still checked against the database.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gevent
from gevent import monkey

from mlflow_accel import patching
from mlflow_accel.server import runtime

P = ParamSpec("P")
R = TypeVar("R")

STORE = "mlflow.server.auth.sqlalchemy_store"
FUNCTIONS = ("check_password_hash", "generate_password_hash")
"""Of werkzeug's, as upstream's auth store has them."""


def install() -> None:
    """Put our functions in upstream's auth store, if an app plugin has loaded it."""
    reviewed = patching.active("auth.passwords")
    store = sys.modules.get(STORE)
    if store is not None and reviewed:
        for name in FUNCTIONS:
            setattr(store, name, in_thread(getattr(store, name)))


def in_thread(original: Callable[P, R]) -> Callable[P, R]:
    """Wrap ``original``: a worker whose requests are greenlets computes it in a thread, and goes on meanwhile."""

    @functools.wraps(original)
    def compute(*arguments: P.args, **keywords: P.kwargs) -> R:
        # The arbiter starts no thread: none may cross the fork.
        if runtime.is_arbiter() or not monkey.is_module_patched("threading"):
            return original(*arguments, **keywords)
        return gevent.get_hub().threadpool.apply(original, arguments, keywords)  # type: ignore[no-any-return]

    return compute
