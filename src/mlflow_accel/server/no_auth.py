"""What upstream's auth application says in a server that does not run it, said without importing it.

Upstream imports it for every search of runs and every GraphQL query, to learn that there is nobody to ask. It brings
the whole FastAPI application along: 0.15 s at start, and 48 MB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mlflow.environment_variables import MLFLOW_AUTH_CONFIG_PATH

from mlflow_accel import patching


class Unloaded:
    """Stands for ``mlflow.server.auth`` until somebody imports it, which binds the module itself."""

    auth_config = None
    """Nobody's experiments are filtered."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("mlflow.server.auth"), name)


def install() -> None:
    """Put the stand-in where upstream looks for its auth application; call it where no app plugin serves."""
    import mlflow.server

    # Its configuration may name a function that is asked about each request.
    if not MLFLOW_AUTH_CONFIG_PATH.get() and patching.active("server.unloaded_auth"):
        mlflow.server.auth = Unloaded()


def graphql_middleware(original: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    """Wrap upstream's ``_get_graphql_auth_middleware``, which imports the auth application to ask whether it is on."""

    @functools.wraps(original)
    def _get_graphql_auth_middleware() -> list[Any]:
        from mlflow.server.handlers import _is_server_auth_enabled

        return original() if _is_server_auth_enabled() else []

    return _get_graphql_auth_middleware
