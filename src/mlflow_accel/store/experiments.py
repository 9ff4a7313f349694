"""Experiments as JSON: one by its id or its name, and pages of a search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

from mlflow.entities.lifecycle_stage import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.store.tracking import sqlalchemy_store as upstream
from mlflow.store.tracking.dbmodels.models import SqlExperiment
from mlflow.utils.search_utils import SearchExperimentsUtils
from mlflow.utils.validation import _parse_experiment_id
from sqlalchemy import Select, bindparam, select

from mlflow_accel.kernels.rows import Field, Kind, Shape, objects
from mlflow_accel.store import pages
from mlflow_accel.store.pages import Answer
from mlflow_accel.store.reader import Reader, declining

EXPERIMENT = Shape(
    (
        Field("experiment_id", Kind.DIGITS, 0),
        Field("name", Kind.TEXT, 1),
        Field("artifact_location", Kind.TEXT, 2),
        Field("lifecycle_stage", Kind.TEXT, 3),
        Field("last_update_time", Kind.NONZERO, 4),
        Field("creation_time", Kind.NONZERO, 5),
        Field("tags", Kind.LIST, 6, (Field("key", Kind.TEXT, 0), Field("value", Kind.OPTIONAL, 1))),
        Field("workspace", Kind.OPTIONAL, 8),
    )
)

COLUMNS = (
    "experiment_id",
    "name",
    "artifact_location",
    "lifecycle_stage",
    "last_update_time",
    "creation_time",
    "workspace",
)
"""The columns of a page of experiments, which the dialects' statements and ``EXPERIMENT`` build on."""

WANTED = "accel_wanted"


@dataclass(frozen=True)
class ExperimentQuery:
    """The search for experiments, without its limit and offset."""

    filter: str
    view_type: int
    order_by: tuple[str, ...]


class Experiments:
    """The experiments that one reader reads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._page = pages.keeping(self._compile)
        self._by = lru_cache(maxsize=4)(self._compile_one)

    def get(self, experiment_id: str, workspace: str | None) -> bytes | str:
        """Return the answer to ``experiments/get``, or why it was declined.

        Source: ``SqlAlchemyStore.get_experiment``.
        """
        try:
            wanted = _parse_experiment_id(experiment_id)
        except MlflowException:
            return "filter"
        return self._one("experiment_id", wanted, workspace)

    def get_by_name(self, name: str, workspace: str | None) -> bytes | str:
        """Return the answer to ``experiments/get-by-name``, or why it was declined.

        Source: ``SqlAlchemyStore.get_experiment_by_name``.
        """
        return self._one("name", name, workspace)

    @declining
    def _one(self, column: str, wanted: Any, workspace: str | None) -> bytes | str:
        page = self._by(column, workspace is not None)
        bound = page.bound(0, 1, workspace, **{WANTED: wanted})
        rows = self._read(page, bound)
        if len(rows) != 1:
            return "experiment"
        return b'{"experiment":' + objects(EXPERIMENT, rows.piece(0, 1)) + b"}"

    @declining
    def search(
        self, query: ExperimentQuery, max_results: int, page_token: str | None, workspace: str | None
    ) -> Answer | str:
        """Return the answer to ``experiments/search``, or why it was declined.

        Source: ``SqlAlchemyStore._search_experiments``.
        """
        try:
            offset = pages.offset_of(page_token)
            page = self._page(query, workspace is not None)
        except Exception:
            # Upstream's parsers may raise anything, and will once more, to be put in words.
            return "filter"
        rows = self._read(page, page.bound(offset, max_results, workspace))
        return pages.answer("experiments", EXPERIMENT, rows, offset, max_results)

    def _read(self, page: pages.Page, bound: Any) -> Any:
        sql = self._reader.sql
        return self._reader.read(lambda cursor: sql.experiments(cursor, page.statement, bound, page.order))

    def _compile(self, query: ExperimentQuery, in_workspace: bool) -> pages.Page:
        dialect = self._reader.engine.dialect
        parsed = SearchExperimentsUtils.parse_search_filter(query.filter)
        attributes, others = upstream._get_search_experiments_filter_clauses(parsed, dialect.name)
        order_by = upstream._get_search_experiments_order_by_clauses(list(query.order_by))
        statement = reduce(lambda joined, other: joined.join(other), others, _selected(in_workspace))
        stages = LifecycleStage.view_type_to_stages(query.view_type)
        statement = statement.filter(*attributes, SqlExperiment.lifecycle_stage.in_(stages))
        return pages.compiled(statement, order_by, (), dialect)

    def _compile_one(self, column: str, in_workspace: bool) -> pages.Page:
        attribute = getattr(SqlExperiment, column)
        statement = _selected(in_workspace).filter(
            attribute == bindparam(WANTED, "" if column == "name" else 0),
            SqlExperiment.lifecycle_stage.in_(LifecycleStage.view_type_to_stages()),
        )
        return pages.compiled(statement, [SqlExperiment.experiment_id], (), self._reader.engine.dialect)


def _selected(in_workspace: bool) -> Select[Any]:
    statement = select(*[getattr(SqlExperiment, name) for name in COLUMNS])
    return statement.filter(SqlExperiment.workspace == pages.workspace()) if in_workspace else statement
