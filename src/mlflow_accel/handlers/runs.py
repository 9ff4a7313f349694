"""``GET runs/get`` and ``POST runs/search``: the store's bytes, as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.json import Decoder

from mlflow_accel.handlers.bodies import SearchRuns
from mlflow_accel.handlers.queries import Query
from mlflow_accel.handlers.reading import declined, read
from mlflow_accel.handlers.routes import Answer, Route
from mlflow_accel.store.runs import MAX_RESULTS, VIEW_TYPES
from mlflow_accel.store.runs import Query as RunQuery

_decode_search: Final[Any] = Decoder(SearchRuns).decode

readable: Callable[[list[str]], list[str]] = list
"""Of these experiments, those that the sender may read; an application with users puts its own function here."""


def get_run(query: bytes, store: Any) -> Answer | None:
    """Answer with one run."""
    try:
        run_id = Query(query).run_id()
    except ValueError:
        return declined("get_run", "query")
    return read("get_run", store, lambda reads: reads.runs.get(run_id, store.workspace()))


def search_runs(body: bytes, store: Any) -> Answer | None:
    """Answer with a page of runs."""
    try:
        sent = _decode_search(body)
        view_type = VIEW_TYPES[sent.run_view_type]
    except (ValueError, KeyError):
        return declined("search_runs", "body")
    if not 1 <= sent.max_results <= MAX_RESULTS:
        return declined("search_runs", "body")
    query = RunQuery(tuple(readable(sent.experiment_ids)), sent.filter, view_type, tuple(sent.order_by))
    return read(
        "search_runs",
        store,
        lambda reads: reads.runs.search(query, sent.max_results, sent.page_token, store.workspace()),
    )


ROUTES = (
    Route("get_run", "_get_run", {"GET": get_run}),
    Route("search_runs", "_search_runs", {"POST": search_runs}),
)
