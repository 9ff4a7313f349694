"""``GET metrics/get-history``, ``get-history-bulk`` and ``get-history-bulk-interval``: the store's bytes, as they are."""

from __future__ import annotations

from typing import Any

from mlflow.server.handlers import MAX_RESULTS_PER_RUN, MAX_RUNS_GET_METRIC_HISTORY_BULK

from mlflow_accel.handlers.queries import Query
from mlflow_accel.handlers.reading import declined, read
from mlflow_accel.handlers.routes import Answer, Route

MAX_BULK_RUNS = 100
MAX_BULK_RESULTS = 25_000
"""Upstream's limits of ``get-history-bulk``, which it has within the function."""


def get_history(query: bytes, store: Any) -> Answer | None:
    """Answer with the points of one metric of one run."""
    try:
        given = Query(query)
        run_id, key, page_token = given.run_id(), given.text("metric_key"), given.text("page_token")
        max_results = given.number("max_results")
    except ValueError:
        return declined("get_metric_history", "query")
    if not key or max_results == 0:
        return declined("get_metric_history", "query")
    return read(
        "get_metric_history",
        store,
        lambda reads: reads.histories.page(run_id, key, max_results, page_token, store.workspace()),
    )


def get_history_bulk(query: bytes, store: Any) -> Answer | None:
    """Answer with the points of one metric of several runs."""
    try:
        given = Query(query)
        run_ids, key, max_results = (
            given.texts("run_id"),
            given.texts("metric_key"),
            given.number("max_results"),
        )
    except ValueError:
        return declined("get_metric_history_bulk", "query")
    if not (0 < len(run_ids) <= MAX_BULK_RUNS and key) or max_results == 0:
        return declined("get_metric_history_bulk", "query")
    limit = MAX_BULK_RESULTS if max_results is None else min(max_results, MAX_BULK_RESULTS)
    return read(
        "get_metric_history_bulk",
        store,
        lambda reads: reads.histories.bulk(run_ids, key[0], limit, store.workspace()),
    )


def get_history_bulk_interval(query: bytes, store: Any) -> Answer | None:
    """Answer with points of one metric of several runs, sampled for a chart."""
    try:
        given = Query(query)
        run_ids, key, max_results = (
            given.texts("run_ids"),
            given.text("metric_key"),
            given.number("max_results"),
        )
        start, end = given.number("start_step"), given.number("end_step")
    except ValueError:
        return declined("get_metric_history_bulk_interval", "query")
    if max_results is None:
        max_results = MAX_RESULTS_PER_RUN
    odd = not (
        0 < len(run_ids) <= MAX_RUNS_GET_METRIC_HISTORY_BULK
        and key
        and 1 <= max_results <= MAX_RESULTS_PER_RUN
    )
    if odd or (start is None) != (end is None):
        return declined("get_metric_history_bulk_interval", "query")
    steps = None if start is None or end is None else (start, end)
    if steps is not None and steps[0] > steps[1]:
        return declined("get_metric_history_bulk_interval", "query")
    return read(
        "get_metric_history_bulk_interval",
        store,
        lambda reads: reads.histories.samples(run_ids, key, max_results, steps, store.workspace()),
    )


ROUTES = (
    Route("get_metric_history", "_get_metric_history", {"GET": get_history}),
    Route("get_metric_history_bulk", "serve_get_metric_history_bulk", {"GET": get_history_bulk}),
    Route(
        "get_metric_history_bulk_interval",
        "get_metric_history_bulk_interval_handler",
        {"GET": get_history_bulk_interval},
    ),
)
