"""What is done before the fork, so that what it leaves behind is shared.

The first search in a process imports modules, configures mappers and compiles statements. In each worker that costs
the first client some hundred ms, and leaves long-lived objects between short-lived ones, whose memory then cannot be
given back.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from flask import Flask
from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR

from mlflow_accel import artifacts

_logger = logging.getLogger(__name__)

REQUESTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("_search_runs", "POST", {"experiment_ids": ["0"], "max_results": 1}),
    ("_search_experiments", "POST", {"max_results": 1}),
    ("_get_run", "GET", {"run_id": "0" * 32}),
    ("_get_metric_history", "GET", {"run_id": "0" * 32, "metric_key": "m", "max_results": 1}),
    ("_search_registered_models", "GET", {"max_results": 1}),
    ("_get_server_info", "GET", {}),
)
"""Flask endpoint, method, and body or query; reads only."""


def run(app: Flask) -> None:
    """Load the SDK of the artifacts' store, and call upstream's views of ``REQUESTS``, whose answers are thrown away."""
    try:
        artifacts.load_sdk(os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR, ""))
    except Exception:
        # Whoever asks for an artifact will be told.
        _logger.debug("Loading the SDK of the artifacts' store failed", exc_info=True)
    for endpoint, method, values in REQUESTS:
        sent = {"json": values} if method == "POST" else {"query_string": values}
        with app.test_request_context("/", method=method, **sent):
            try:
                app.view_functions[endpoint]()
            except Exception:
                # Whoever asks for it later will be told.
                _logger.debug("Warming up %s failed", endpoint, exc_info=True)
