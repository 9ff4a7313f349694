"""Both stores called in this process, with the same random calls: results, errors and rows are compared.

Upstream's store runs on joined sessions, as it does in our server: what it refuses half way, it then stores none of.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.entities import ExperimentTag, Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as upstream
from mlflow.store.tracking import sqlalchemy_store
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from mlflow_accel.store.accelerated import AcceleratedStore
from mlflow_accel.store.engines import tuned_engine
from mlflow_accel.store.sessions import managed_session_maker
from tests.support.databases import Databases
from tests.support.rows import rows

TABLES = ("runs", "tags", "params", "metrics", "latest_metrics", "logged_model_metrics", "experiment_tags")

Call = tuple[str, Any]
"""A method's name, and the arguments after the run's id, or all of them."""

KEYS = st.sampled_from(["a", "b", "a/b", "A", "é", "a$", "../a", "k" * 251, "mlflow.runName"])
TEXTS = st.sampled_from(["", "v", "w", "ключ", "a\nb", "x" * 300, "v" * 8001])
TIMES = st.sampled_from([0, 1, 2, 1_700_000_000_000, 2**63 - 1, -1])
VALUES = st.sampled_from([0.0, -0.0, 1, 1.5, -2.5, math.nan, math.inf, -math.inf, 5e-324, True])
METRICS = st.builds(Metric, KEYS, VALUES, TIMES, st.sampled_from([0, 1, -1, 2**63 - 1]))
PARAMS = st.builds(Param, KEYS, TEXTS)
TAGS = st.builds(RunTag, KEYS, TEXTS)
EXPERIMENTS = st.sampled_from(["0", "0", "0", "7", "x", "00"])
NAMES = st.none() | st.sampled_from(["", "run", "größe", "n" * 251])

OF_A_RUN = st.one_of(
    st.tuples(st.just("log_metric"), st.tuples(METRICS)),
    st.tuples(
        st.just("log_batch"),
        st.tuples(st.lists(METRICS, max_size=4), st.lists(PARAMS, max_size=3), st.lists(TAGS, max_size=3)),
    ),
    st.tuples(st.just("log_param"), st.tuples(PARAMS)),
    st.tuples(st.just("set_tag"), st.tuples(TAGS)),
    st.tuples(st.just("delete_tag"), st.tuples(KEYS)),
    st.tuples(
        st.just("update_run_info"),
        st.tuples(st.none() | st.sampled_from(RunStatus.all_status()), st.none() | TIMES, NAMES),
    ),
    st.tuples(st.sampled_from(["delete_run", "restore_run"]), st.just(())),
)
OF_NO_RUN = st.one_of(
    st.tuples(st.just("create_run"), st.tuples(EXPERIMENTS, TEXTS, TIMES, st.lists(TAGS, max_size=3), NAMES)),
    st.tuples(st.just("set_experiment_tag"), st.tuples(EXPERIMENTS, st.builds(ExperimentTag, KEYS, TEXTS))),
)
CALLS = st.lists(
    OF_NO_RUN.map(lambda call: (None, *call)) | st.tuples(st.integers(0, 2), OF_A_RUN).map(lambda c: (c[0], *c[1])),
    min_size=4,
    max_size=14,
)


class Called:
    """A store, and the runs that were made in it."""

    def __init__(self, store: Any, uri: str) -> None:
        self.store, self.uri = store, uri
        self.runs: list[str] = []

    def new_run(self) -> None:
        """Make a run to call for."""
        self.runs.append(self.store.create_run("0", "u", 0, [], "run").info.run_id)

    def words(self, value: object) -> str:
        """Return ``value`` with each run's id replaced by its number."""
        text = repr(value)
        for number, run_id in enumerate(self.runs):
            text = text.replace(run_id, f"<run {number}>")
        return text

    def call(self, run: int | None, name: str, arguments: tuple[Any, ...]) -> str:
        """Return what a method returned, or how it failed."""
        random.seed(0)
        before = () if run is None else (self.runs[run],)
        try:
            result = getattr(self.store, name)(*before, *arguments)
        except MlflowException as ex:
            return self.words((ex.error_code, ex.message.splitlines()[0]))
        if name == "create_run":
            self.runs.append(result.info.run_id)
        return self.words(result.to_dictionary() if name == "create_run" else result and dict(result))

    def stored(self) -> dict[str, list[str]]:
        """Return every row, with ids as numbers; when a run was deleted is left out."""
        found = rows(self.uri, dict.fromkeys(TABLES, "true"))
        deleted_time = 13
        found["runs"] = [(*row[:deleted_time], row[deleted_time] and "now", *row[deleted_time + 1 :]) for row in found["runs"]]
        return {table: sorted(map(self.words, found[table])) for table in TABLES}


@pytest.fixture(scope="module")
def stores(databases: Databases, new_directory: Callable[[], Path]) -> Iterator[tuple[Called, Called]]:
    """Upstream's store and ours, each on a database of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        patch.setattr(upstream, "create_sqlalchemy_engine", tuned_engine(upstream.create_sqlalchemy_engine))
        joined = managed_session_maker(upstream._get_managed_session_maker)
        for module in (upstream, sqlalchemy_store):
            if hasattr(module, "_get_managed_session_maker"):
                patch.setattr(module, "_get_managed_session_maker", joined)
        root = str(new_directory())
        made = [Called(kind(uri, root), uri) for kind in (SqlAlchemyStore, AcceleratedStore) for uri in [databases.fresh()]]
        yield made[0], made[1]
        for each in made:
            each.store.engine.dispose()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_the_same_calls_have_the_same_results(stores: tuple[Called, Called], calls: list[Any]) -> None:
    for each in stores:
        each.runs = []
        for _ in range(3):
            each.new_run()
    for run, name, arguments in calls:
        theirs, ours = (each.call(run, name, arguments) for each in stores)
        assert ours == theirs, (run, name, arguments)
    theirs, ours = ({table: [r for r in found if "<run" in r or table == "experiment_tags"] for table, found in each.stored().items()} for each in stores)
    assert ours == theirs
