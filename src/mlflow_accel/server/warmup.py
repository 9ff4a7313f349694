"""Requests that are made before the fork, so that what they leave behind is shared.

The first search in a process imports modules, configures mappers and compiles statements. In each worker that costs
the first client some hundred ms, and leaves long-lived objects between short-lived ones, whose memory then cannot be
given back.
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask

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
    """Call upstream's views of ``REQUESTS``; whatever they answer is thrown away."""
    for endpoint, method, values in REQUESTS:
        sent = {"json": values} if method == "POST" else {"query_string": values}
        with app.test_request_context("/", method=method, **sent):
            try:
                app.view_functions[endpoint]()
            except Exception:
                # Whoever asks for it later will be told.
                _logger.debug("Warming up %s failed", endpoint, exc_info=True)
