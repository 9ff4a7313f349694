"""Runs as JSON: one by its id, and pages of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow.entities import ViewType
from mlflow.entities.lifecycle_stage import LifecycleStage
from mlflow.store.tracking import sqlalchemy_store as upstream
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun
from mlflow.utils.search_utils import SearchUtils
from mlflow.utils.validation import _parse_experiment_ids
from sqlalchemy import select
from sqlalchemy.orm import Session

from mlflow_accel.kernels.rows import Field, Kind, Shape, nested, objects
from mlflow_accel.store import pages
from mlflow_accel.store.pages import Answer
from mlflow_accel.store.reader import Reader, declining

_METRIC = (
    Field("key", Kind.TEXT, 0),
    Field("value", Kind.DOUBLE, 1),
    Field("timestamp", Kind.INTEGER, 2),
    Field("step", Kind.INTEGER, 3),
)
_PAIR = (Field("key", Kind.TEXT, 0), Field("value", Kind.OPTIONAL, 1))
_OUTPUT = (Field("model_id", Kind.TEXT, 0), Field("step", Kind.INTEGER, 1))
_INPUT = (Field("model_id", Kind.TEXT, 0),)


def _run(*inputs: Field) -> Shape:
    return Shape(
        (
            *nested(
                "info",
                Field("run_uuid", Kind.TEXT, 0),
                Field("experiment_id", Kind.DIGITS, 1),
                Field("run_name", Kind.OPTIONAL, 2),
                Field("user_id", Kind.TEXT, 3),
                Field("status", Kind.TEXT, 4),
                Field("start_time", Kind.INTEGER, 5),
                Field("end_time", Kind.NONZERO, 6),
                Field("artifact_uri", Kind.FILLED, 7),
                Field("lifecycle_stage", Kind.TEXT, 8),
                Field("run_id", Kind.TEXT, 0),
            ),
            *nested(
                "data",
                Field("metrics", Kind.LIST, 9, _METRIC),
                Field("params", Kind.LIST, 13, _PAIR),
                Field("tags", Kind.LIST, 15, _PAIR),
            ),
            *nested("inputs", Field("dataset_inputs", Kind.JSON, 17), *inputs),
            *nested("outputs", Field("model_outputs", Kind.LIST, 18, _OUTPUT)),
        )
    )


RUN = _run(Field("model_inputs", Kind.LIST, 20, _INPUT))
FOUND_RUN = _run()
"""As upstream, a search leaves out the models that a run has taken in."""

MAX_RESULTS = upstream.SEARCH_MAX_RESULTS_THRESHOLD
VIEW_TYPES = {name: ViewType.from_string(name.lower()) for name in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")}


@dataclass(frozen=True)
class Query:
    """The search for runs, without its limit and offset."""

    experiment_ids: tuple[str, ...]
    filter: str
    view_type: int
    order_by: tuple[str, ...]


COLUMNS = (
    "run_uuid",
    "experiment_id",
    "name",
    "user_id",
    "status",
    "start_time",
    "end_time",
    "artifact_uri",
    "lifecycle_stage",
)
"""The columns of a page of runs, which the dialects' statements and ``RUN`` build on."""


class Runs:
    """The runs that one reader reads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._page = pages.keeping(self._compile)

    @declining
    def get(self, run_id: str, workspace: str | None) -> bytes | str:
        """Return the answer to ``runs/get``, or why it was declined.

        Source: ``SqlAlchemyStore.get_run``.
        """
        rows = self._reader.read(lambda cursor: self._reader.sql.run(cursor, run_id, workspace))
        if len(rows) != 1:
            return "run"
        return b'{"run":' + objects(RUN, rows.piece(0, 1)) + b"}"

    @declining
    def search(
        self, query: Query, max_results: int, page_token: str | None, workspace: str | None
    ) -> Answer | str:
        """Return the answer to ``runs/search``, or why it was declined.

        Source: ``SqlAlchemyStore._search_runs``.
        """
        try:
            offset = pages.offset_of(page_token)
            page = self._page(query, workspace is not None)
        except Exception:
            # Upstream's parsers may raise anything, and will once more, to be put in words.
            return "filter"
        bound = page.bound(offset, max_results, workspace)
        rows = self._reader.read(
            lambda cursor: self._reader.sql.runs(cursor, page.statement, bound, page.order)
        )
        return pages.answer("runs", FOUND_RUN, rows, offset, max_results)

    def _compile(self, query: Query, in_workspace: bool) -> pages.Page:
        session = Session()
        dialect = self._reader.engine.dialect
        parsed = SearchUtils.parse_search_filter(query.filter)
        sorted_by, order_by, sorting_joins = upstream._get_orderby_clauses(list(query.order_by), session)
        attributes, others, datasets = upstream._get_sqlalchemy_filter_clauses(parsed, session, dialect.name)
        statement = select(*[getattr(SqlRun, name) for name in COLUMNS])
        for subquery in others:
            statement = statement.join(subquery)
        for subquery in datasets:
            statement = statement.join(subquery, SqlRun.run_uuid == subquery.c.destination_id)
        for subquery in sorting_joins:
            statement = statement.outerjoin(subquery)
        experiment_ids: Any = _parse_experiment_ids(list(query.experiment_ids))
        if in_workspace:
            experiment_ids = select(SqlExperiment.experiment_id).where(
                SqlExperiment.experiment_id.in_(experiment_ids), SqlExperiment.workspace == pages.workspace()
            )
        statement = statement.filter(
            SqlRun.experiment_id.in_(experiment_ids),
            SqlRun.lifecycle_stage.in_(LifecycleStage.view_type_to_stages(query.view_type)),
            *attributes,
        )
        if datasets:
            # Several datasets of a run may match. Nothing else that is joined has two rows for a run.
            statement = statement.distinct()
        return pages.compiled(statement, order_by, sorted_by, dialect)
