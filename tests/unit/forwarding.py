"""An application that passes everything but its health on; ``PEER`` names the socket."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from mlflow_accel.server.forward import Broken, Unreachable, forward


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer ``/health``, pass on the rest, and say what went wrong."""
    if environ["PATH_INFO"] == "/health":
        start_response("200 OK", [])
        return [b"OK"]
    try:
        return forward(os.environ["PEER"], environ, start_response)
    except (Unreachable, Broken) as ex:
        start_response("503 Service Unavailable", [("X-Error", type(ex).__name__)])
        return [str(ex).encode()]
