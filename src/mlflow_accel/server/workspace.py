"""The workspace of a request, cleared after every request."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlflow.utils import workspace_context


def teardown(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap upstream's teardown hook, which clears the context only where workspaces are enabled.

    A gevent worker serves all requests of a connection in one context: without this, only the first request would be
    refused for a workspace header that it should not have.
    """

    @functools.wraps(original)
    def workspace_teardown_request_handler(error: Any) -> None:
        original(error)
        workspace_context.clear_server_request_workspace()

    return workspace_teardown_request_handler
