"""App plugins that are ASGI applications: served by gunicorn's ASGI worker, in processes that nothing has patched.

The plugin wraps upstream's Flask application, in which our views and stores are as everywhere.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from mlflow_accel.errors import ConfigurationError
from mlflow_accel.server import jobs, runtime
from mlflow_accel.server.forward import trusted_proxies
from mlflow_accel.server.startup import UNPATCHED

_logger = logging.getLogger(__name__)


def served(application: Any, name: str) -> Callable[..., Any]:
    """Return the plugin's application in gunicorn's ASGI worker; the arbiter starts again to have such workers.

    Raises:
        ConfigurationError: gunicorn was started with another worker class.
    """
    if "gunicorn.workers.gasgi" in sys.modules and not runtime.is_arbiter():
        from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

        # As uvicorn does in upstream's server, and gunicorn does not: the assistant trusts the client's address.
        return ProxyHeadersMiddleware(application, trusted_proxies())
    if not runtime.is_arbiter():
        raise ConfigurationError(
            f"the app plugin {name} is an ASGI application. Run: gunicorn -k asgi mlflow_accel.app"
        )
    _logger.warning(
        "The app plugin %s is an ASGI application: gunicorn's ASGI workers serve it, without gevent and the fast lane.",
        name,
    )
    jobs.remove_queue()
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, UNPATCHED: "1"})
