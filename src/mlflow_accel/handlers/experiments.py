"""``GET experiments/get`` and ``get-by-name``, and ``experiments/search``: the store's bytes, as they are."""

from __future__ import annotations

from typing import Any, Final

from msgspec.json import Decoder

from mlflow_accel.handlers.bodies import SearchExperiments
from mlflow_accel.handlers.queries import Query
from mlflow_accel.handlers.reading import declined, read
from mlflow_accel.handlers.routes import Answer, Route
from mlflow_accel.store.experiments import ExperimentQuery
from mlflow_accel.store.runs import MAX_RESULTS, VIEW_TYPES

_decode_search: Final[Any] = Decoder(SearchExperiments).decode


def get_experiment(query: bytes, store: Any) -> Answer | None:
    """Answer with one experiment."""
    return _get("get_experiment", query, "experiment_id", store)


def get_experiment_by_name(query: bytes, store: Any) -> Answer | None:
    """Answer with the experiment of a name."""
    return _get("get_experiment_by_name", query, "experiment_name", store)


def _get(endpoint: str, query: bytes, argument: str, store: Any) -> Answer | None:
    try:
        wanted = Query(query).text(argument)
    except ValueError:
        wanted = ""
    if not wanted:
        return declined(endpoint, "query")
    if store.shows_retention():
        return declined(endpoint, "store")
    if argument == "experiment_id":
        return read(endpoint, store, lambda reads: reads.experiments.get(wanted, store.workspace()))
    return read(endpoint, store, lambda reads: reads.experiments.get_by_name(wanted, store.workspace()))


def search_experiments(body: bytes, store: Any) -> Answer | None:
    """Answer ``POST experiments/search`` with a page of experiments."""
    try:
        sent = _decode_search(body)
    except ValueError:
        return declined("search_experiments", "body")
    return _search(sent, store, "body")


def search_experiments_by_query(query: bytes, store: Any) -> Answer | None:
    """Answer ``GET experiments/search`` with a page of experiments."""
    try:
        given = Query(query)
        sent = SearchExperiments(
            given.number("max_results") or 0,
            given.text("page_token"),
            given.text("filter"),
            given.texts("order_by"),
            given.text("view_type") or "ACTIVE_ONLY",
        )
    except ValueError:
        return declined("search_experiments", "query")
    return _search(sent, store, "query")


def _search(sent: SearchExperiments, store: Any, odd: str) -> Answer | None:
    view_type = VIEW_TYPES.get(sent.view_type)
    if view_type is None or not 1 <= sent.max_results <= MAX_RESULTS:
        return declined("search_experiments", odd)
    if store.shows_retention():
        return declined("search_experiments", "store")
    query = ExperimentQuery(sent.filter or "", view_type, tuple(sent.order_by or ()))
    return read(
        "search_experiments",
        store,
        lambda reads: reads.experiments.search(query, sent.max_results, sent.page_token, store.workspace()),
    )


ROUTES = (
    Route("get_experiment", "_get_experiment", {"GET": get_experiment}),
    Route("get_experiment_by_name", "_get_experiment_by_name", {"GET": get_experiment_by_name}),
    Route(
        "search_experiments",
        "_search_experiments",
        {"POST": search_experiments, "GET": search_experiments_by_query},
    ),
)
