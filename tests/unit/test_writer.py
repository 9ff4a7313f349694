"""Writing a group: what is stored, who is declined, and how many statements it takes."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mlflow.entities import LoggedModelStatus, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as upstream
from sqlalchemy import event, text

from mlflow_accel.kernels.batch import Batch
from mlflow_accel.store.accelerated import AcceleratedStore
from mlflow_accel.store.columns import Member
from mlflow_accel.store.engines import tuned_engine
from mlflow_accel.store.solo import StageChange, TagDeletion
from mlflow_accel.store.writer import ALONE, Writer
from mlflow_accel.store.writes import ExperimentTag, NewRun, RunUpdate
from tests.support.databases import Databases
from tests.support.mysql import MysqlDatabases


@pytest.fixture
def store(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AcceleratedStore]:
    """The accelerated store on a fresh database."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.setattr(upstream, "create_sqlalchemy_engine", tuned_engine(upstream.create_sqlalchemy_engine))
    made = AcceleratedStore(databases.fresh(), str(tmp_path))
    yield made
    made.engine.dispose()


@pytest.fixture
def run_id(store: AcceleratedStore) -> str:
    """The id of an active run."""
    return new_run(store)


def new_run(store: AcceleratedStore) -> str:
    """Create a run and return its id."""
    run_id: str = store.create_run("0", "user", 0, [], "name").info.run_id
    return run_id


def batch(
    run_id: str,
    *metrics: tuple[str, float, int, int],
    params: tuple[tuple[str, str], ...] = (),
    tags: tuple[tuple[str, str], ...] = (),
    model_id: str | None = None,
) -> Batch:
    """Metrics are ``(key, value, timestamp, step)``."""
    columns = [list(column) for column in zip(*metrics, strict=True)] or [[], [], [], []]
    keys, values, timestamps, steps = columns
    model = [[model_id] * len(keys), [None] * len(keys), [None] * len(keys)] if model_id else [None] * 3
    nans = [False] * len(keys)
    return Batch(run_id, keys, values, timestamps, steps, nans, *model, list(params), list(tags))  # type: ignore[arg-type]


def write(store: AcceleratedStore, *writes: Any) -> list[str]:
    """Write the batches, or other kinds of write, as one group."""
    return store._writer.write([Member(w, None) for w in writes])


def rows(store: AcceleratedStore, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, in which ``key`` is the column: a word of MySQL's own."""
    if store.db_type == "mysql":
        statement = re.sub(r"(?<!`)\bkey\b", "`key`", statement)
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


LATEST = "SELECT key, value, timestamp, step FROM latest_metrics ORDER BY run_uuid, key"


def test_latest_is_the_newest_of_a_group(store: AcceleratedStore, run_id: str) -> None:
    assert write(
        store,
        batch(run_id, ("m", 1.0, 10, 1), ("m", 3.0, 10, 2)),
        batch(run_id, ("m", 2.0, 10, 2), ("n", 1.0, 1, 1)),
    ) == ["fast", "fast"]
    assert rows(store, LATEST) == [("m", 3.0, 10, 2), ("n", 1.0, 1, 1)]
    assert len(rows(store, "SELECT * FROM metrics")) == 4


@pytest.mark.parametrize(
    ("newer", "replaces"),
    [
        ((5.0, 10, 3), True),
        ((1.0, 11, 2), True),
        ((5.0, 10, 2), True),
        ((4.0, 10, 2), False),
        ((9.0, 99, 1), False),
        ((9.0, 9, 2), False),
    ],
    ids=["step", "timestamp", "value", "equal", "older step", "older timestamp"],
)
def test_a_stored_latest_gives_way_to_a_newer_one_only(
    store: AcceleratedStore, run_id: str, newer: tuple[float, int, int], replaces: bool
) -> None:
    write(store, batch(run_id, ("m", 4.0, 10, 2)))
    write(store, batch(run_id, ("m", *newer)))
    assert rows(store, LATEST) == [("m", *(newer if replaces else (4.0, 10, 2)))]


def test_the_same_metric_again_is_stored_once(store: AcceleratedStore, run_id: str) -> None:
    one = batch(run_id, ("m", 1.0, 1, 1))
    assert write(store, one, one) == ["fast", "fast"]
    assert write(store, one) == ["fast"]
    assert len(rows(store, "SELECT * FROM metrics")) == 1


def test_a_missing_run_leaves_its_group(store: AcceleratedStore, run_id: str) -> None:
    deleted = new_run(store)
    store.delete_run(deleted)
    group = [batch(r, ("m", 1.0, 1, 1)) for r in (run_id, "f" * 32, deleted)]
    assert write(store, *group) == ["fast", "run", "run"]
    assert len(rows(store, "SELECT * FROM metrics")) == 1


def test_a_changed_param_leaves_its_group(store: AcceleratedStore, run_id: str) -> None:
    other = new_run(store)
    write(store, batch(run_id, params=(("p", "1"),)))
    outcomes = write(
        store,
        batch(run_id, ("m", 1.0, 1, 1), params=(("p", "2"), ("q", "3"))),
        batch(other, ("m", 1.0, 1, 1), params=(("p", "2"),)),
        batch(run_id, params=(("p", "1"),)),
    )
    assert outcomes == ["conflict", "fast", "fast"]
    assert rows(store, "SELECT key, value FROM params ORDER BY key, value") == [("p", "1"), ("p", "2")]
    assert rows(store, "SELECT run_uuid FROM metrics") == [(other,)]


def test_two_values_of_a_param_in_one_group_are_a_conflict_of_the_second(store: AcceleratedStore, run_id: str) -> None:
    group = [batch(run_id, params=(("p", value),)) for value in ("1", "2", "1")]
    assert write(store, *group) == ["fast", "conflict", "fast"]
    assert rows(store, "SELECT value FROM params") == [("1",)]


def test_tags_are_overwritten_in_order(store: AcceleratedStore, run_id: str) -> None:
    write(store, batch(run_id, tags=(("t", "1"), ("u", "1"))), batch(run_id, tags=(("t", "2"),)))
    found = rows(store, "SELECT key, value FROM tags WHERE key IN ('t', 'u') ORDER BY key")
    assert found == [("t", "2"), ("u", "1")]


def test_a_models_metrics_are_stored_with_it(store: AcceleratedStore, run_id: str) -> None:
    model = store.create_logged_model("0", name="m", source_run_id=run_id)
    store.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    assert write(store, batch(run_id, ("m", 1.5, 1, 2), model_id=model.model_id)) == ["fast"]
    [metric] = store.get_logged_model(model.model_id).metrics
    assert (metric.key, metric.value, metric.step, metric.run_id) == ("m", 1.5, 2, run_id)


def test_what_the_database_refuses_leaves_the_group_whole(store: AcceleratedStore, run_id: str) -> None:
    other = new_run(store)
    bad = batch(run_id, ("m", 1.0, 1, 1), model_id="m-" + "0" * 32)
    outcomes = write(store, *[batch(other, ("m", 1.0, 1, i)) for i in range(5)], bad)
    assert outcomes == ["fast"] * 5 + ["database"]
    assert rows(store, "SELECT DISTINCT run_uuid FROM metrics") == [(other,)]


def count_statements(store: AcceleratedStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every statement that the writer executes is added."""
    seen: list[str] = []
    dialect = store._writer._dialect
    original = dialect.transact

    class Counted:
        def __init__(self, cursor: Any) -> None:
            self._cursor = cursor

        def __getattr__(self, name: str) -> Any:
            if name.startswith("execute"):
                seen.append(name)
            return getattr(self._cursor, name)

    def transact(connection: Any, work: Callable[[Any], Any], in_group: bool) -> Any:
        return original(connection, lambda cursor: work(Counted(cursor)), in_group)

    monkeypatch.setattr(dialect, "transact", transact)
    return seen


def test_statements_do_not_grow_with_the_group(
    store: AcceleratedStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [run_id, *(new_run(store) for _ in range(9))]
    seen = count_statements(store, monkeypatch)
    write(store, *[batch(r, *((f"k{i}", 1.0, 1, 1) for i in range(50))) for r in runs])
    assert len(seen) == 3, "one for the runs, two for the metrics"
    seen.clear()
    write(store, *[batch(r, ("k", 1.0, 1, 2), params=(("p", "1"),), tags=(("t", "1"),)) for r in runs])
    assert len(seen) == 6, "two more for the params, one for the tags"


def created(name: str, *tags: tuple[str, str], experiment_id: int = 0) -> NewRun:
    """A run to create, named in its tags, too."""
    return NewRun(experiment_id, "user", 5, name, [*tags, ("mlflow.runName", name)])


def test_every_kind_of_write_in_one_group(
    store: AcceleratedStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = new_run(store)
    group = [
        batch(run_id, ("m", 1.0, 1, 1), params=(("p", "1"),), tags=(("t", "1"),)),
        created("a", ("t", "2")),
        created("b"),
        RunUpdate(run_id, "FINISHED", 7, None),
        RunUpdate(run_id, None, None, "renamed"),
        RunUpdate(other, None, None, None),
        ExperimentTag(0, "team", "x"),
        ExperimentTag(0, "team", "y"),
    ]
    seen = count_statements(store, monkeypatch)
    assert write(store, *group) == ["fast"] * len(group)
    assert len(seen) == 10, "runs and experiments; created, changed, 2 x params, 2 x metrics, tags, experiment's tags"
    assert [update.row.status for update in group[3:6]] == ["FINISHED", "FINISHED", "RUNNING"]
    assert [update.row.name for update in group[3:6]] == ["name", "renamed", "name"]
    found = rows(store, "SELECT name, status, end_time, start_time FROM runs ORDER BY name")
    assert found == [
        ("a", "RUNNING", None, 5),
        ("b", "RUNNING", None, 5),
        ("name", "RUNNING", None, 0),
        ("renamed", "FINISHED", 7, 0),
    ]
    names = "SELECT t.value FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid WHERE t.key = 'mlflow.runName'"
    assert sorted(rows(store, names)) == [("a",), ("b",), ("name",), ("renamed",)]
    assert rows(store, "SELECT key, value FROM experiment_tags") == [("team", "y")]
    run = store.get_run(group[1].run_id)
    assert run.info.artifact_uri == group[1].artifact_uri
    assert run.info.artifact_uri.endswith(f"/0/{run.info.run_id}/artifacts")
    assert run.data.tags == {"t": "2", "mlflow.runName": "a"}


def test_what_is_not_active_leaves_its_group(store: AcceleratedStore, run_id: str) -> None:
    gone = int(store.create_experiment("gone"))
    inside = store.create_run(str(gone), "user", 0, [], "inside").info.run_id
    store.delete_experiment(str(gone))
    group = [
        RunUpdate(inside, "FAILED", None, None),
        created("x", experiment_id=gone),
        ExperimentTag(gone, "k", "v"),
        ExperimentTag(99, "k", "v"),
        RunUpdate("f" * 32, "FAILED", None, None),
        created("y"),
    ]
    assert write(store, *group) == ["run", "experiment", "experiment", "experiment", "run", "fast"]
    assert rows(store, "SELECT name FROM runs ORDER BY name") == [("inside",), ("name",), ("y",)]


def test_a_tag_is_deleted_once(store: AcceleratedStore, run_id: str) -> None:
    write(store, batch(run_id, tags=(("t", "1"), ("u", "1"))))
    assert [store.write(TagDeletion(run_id, "t")) for _ in range(2)] == ["fast", "run"]
    assert store.write(TagDeletion("f" * 32, "u")) == "run"
    assert rows(store, "SELECT key FROM tags ORDER BY key") == [("mlflow.runName",), ("u",)]


def test_a_run_from_which_assessments_were_made_is_left_to_upstream(store: AcceleratedStore, run_id: str) -> None:
    other = new_run(store)
    with store.engine.begin() as connection:
        connection.execute(text("INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES ('t', 0, 1, 'OK')"))
        connection.execute(
            text(
                "INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, created_timestamp, "
                "last_updated_timestamp, source_type, valid, assessment_metadata) "
                "VALUES ('a', 't', 'n', 'feedback', '1', 1, 1, 'CODE', true, :metadata)"
            ),
            {"metadata": json.dumps({"mlflow.assessment.sourceRunId": run_id})},
        )
    assert store.write(StageChange(run_id, deleted=True)) == "run"
    assert store.write(StageChange(other, deleted=True)) == "fast"
    [(deleted_time,)] = rows(store, "SELECT deleted_time FROM runs WHERE lifecycle_stage = 'deleted'")
    assert deleted_time > 0
    store.delete_run(run_id)
    assert rows(store, "SELECT * FROM assessments") == []
    assert store.write(StageChange(other, deleted=False)) == "fast"
    assert rows(store, "SELECT run_uuid, deleted_time FROM runs WHERE lifecycle_stage = 'active'") == [(other, None)]


def test_a_workspace_is_checked_with_the_experiment(store: AcceleratedStore, run_id: str) -> None:
    group = [
        Member(write, workspace)
        for workspace in ("default", "other")
        for write in (created(workspace), ExperimentTag(0, workspace, "1"), RunUpdate(run_id, None, None, workspace))
    ]
    assert store._writer.write(group) == [*["fast"] * 3, "experiment", "experiment", "run"]
    alone = [Member(TagDeletion(run_id, "mlflow.runName"), "other"), Member(StageChange(run_id, deleted=True), "other")]
    assert [store._writer.write_alone(member) for member in alone] == ["run", "run"]
    assert rows(store, "SELECT name FROM runs") == [("default",)] * 2


def test_a_workspace_is_checked_with_the_run(store: AcceleratedStore, run_id: str) -> None:
    mine, theirs = Member(batch(run_id, ("a", 1.0, 1, 1)), "default"), Member(batch(run_id, ("b", 1.0, 1, 1)), "other")
    assert store._writer.write([mine, theirs]) == ["fast", "run"]
    assert rows(store, "SELECT key FROM metrics") == [("a",)]


def test_a_group_does_not_wait_for_anothers_lock(
    postgres_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.setattr(upstream, "create_sqlalchemy_engine", tuned_engine(upstream.create_sqlalchemy_engine))
    store = AcceleratedStore(postgres_uri, str(tmp_path))
    locked, free = new_run(store), new_run(store)
    write(store, batch(locked, ("m", 1.0, 1, 1)))
    with psycopg.connect(postgres_uri) as holder:
        holder.execute("SELECT * FROM latest_metrics FOR UPDATE")
        group = [batch(r, ("m", 2.0, 2, 2)) for r in (locked, free)]
        assert write(store, *group) == [ALONE, ALONE]
        assert store.write(group[1]) == "fast"
        waiting = threading.Thread(target=store.write, args=(group[0],))
        waiting.start()
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with psycopg.connect(postgres_uri, autocommit=True) as watcher:
            while watcher.execute(blocked).fetchone() == (0,):
                waiting.join(0.01)
                assert waiting.is_alive()
        holder.rollback()
    waiting.join(30)
    assert rows(store, "SELECT value FROM latest_metrics") == [(2.0,), (2.0,)]
    store.engine.dispose()


def test_a_lost_database_is_503(store: AcceleratedStore, run_id: str) -> None:
    @event.listens_for(store.engine, "do_connect")
    def refuse(*_: Any) -> None:
        raise store.engine.dialect.loaded_dbapi.OperationalError("connection refused")

    store.engine.dispose()
    with pytest.raises(MlflowException) as caught:
        write(store, batch(run_id, ("m", 1.0, 1, 1)))
    assert caught.value.get_http_status_code() == 503
    event.remove(store.engine, "do_connect", refuse)
    assert write(store, batch(run_id, ("m", 1.0, 1, 1))) == ["fast"]
    assert store.search_runs(["0"], "", ViewType.ACTIVE_ONLY)[0].data.metrics == {"m": 1.0}


def test_a_member_alone_is_tried_again_after_a_deadlock(
    store: AcceleratedStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([[ALONE], [ALONE], ["fast"]])
    writer = Writer(store.engine)
    monkeypatch.setattr(writer, "_write", lambda members, in_group: next(outcomes))
    assert writer.write_alone(Member(batch(run_id, ("m", 1.0, 1, 1)), None)) == "fast"
    monkeypatch.setattr(writer, "_write", lambda members, in_group: [ALONE])
    with pytest.raises(MlflowException) as caught:
        writer.write_alone(Member(batch(run_id, ("m", 1.0, 1, 1)), None))
    assert caught.value.get_http_status_code() == 503


TWINS = [
    {"metrics": [("{}", 1.0, 1, 1)]},
    {"metrics": [("{}", 1.0, 2, 1)]},
    {"params": (("{}", "1"),)},
    {"tags": (("{}", "1"),)},
]


def keyed(run_id: str, twin: dict[str, Any], *keys: str) -> Batch:
    """What ``twin`` says, once with each key."""
    rows = {kind: [(key, *rest) for key in keys for _, *rest in some] for kind, some in twin.items()}
    return batch(run_id, *rows.get("metrics", []), params=tuple(rows.get("params", ())), tags=tuple(rows.get("tags", ())))


@pytest.mark.parametrize("twin", TWINS, ids=["metric", "another metric", "param", "tag"])
@pytest.mark.parametrize("key", ["LOSS", "loss "])
def test_mysql_leaves_a_key_that_it_takes_for_another_to_upstream(
    mysql_databases: MysqlDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twin: dict[str, Any], key: str
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.setattr(upstream, "create_sqlalchemy_engine", tuned_engine(upstream.create_sqlalchemy_engine))
    store = AcceleratedStore(mysql_databases.fresh(), str(tmp_path))
    run, other = new_run(store), new_run(store)
    assert write(store, keyed(run, twin, "loss", key), keyed(other, twin, "loss")) == ["database", "fast"], "in a batch"
    assert write(store, *(keyed(run, twin, k) for k in ("loss", key, "x"))) == ["fast", "database", "fast"], "in a group"
    assert write(store, keyed(run, twin, key), keyed(other, twin, "x")) == ["database", "fast"], "stored before"
    for table in ("metrics", "latest_metrics", "params", "tags"):
        assert {k for (k,) in rows(store, f"SELECT `key` FROM {table}")} <= {"loss", "x", "mlflow.runName"}
    store.engine.dispose()
