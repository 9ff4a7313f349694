"""Upstream's managed sessions, joined: one connection, one transaction, nothing kept by half."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as upstream
from mlflow.store.tracking.dbmodels.models import SqlExperimentTag
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker

from mlflow_accel.sql import file_systems
from mlflow_accel.store.engines import tuned_engine
from mlflow_accel.store.sessions import ManagedSession, managed_session_maker
from tests.support.databases import Databases


@pytest.fixture
def engine(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A tuned engine on a fresh database, with a pool of two connections that waits one second."""
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", "2")
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW", "0")
    monkeypatch.setenv("MLFLOW_ACCEL_POOL_TIMEOUT", "1")
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    made = tuned_engine(upstream.create_sqlalchemy_engine)(databases.fresh())
    yield made
    made.dispose()


@pytest.fixture
def managed(engine: Engine) -> ManagedSession:
    """Our managed sessions on that engine."""
    maker = managed_session_maker(upstream._get_managed_session_maker)
    return maker(sessionmaker(bind=engine), engine.dialect.name)


def tag(key: str) -> SqlExperimentTag:
    """A row to store."""
    return SqlExperimentTag(experiment_id=0, key=key, value="v")


def stored(managed: ManagedSession) -> set[str]:
    """Return the keys of the rows that are stored."""
    with managed() as session:
        return {key for (key,) in session.query(SqlExperimentTag.key)}


def checked_out(engine: Engine) -> int:
    """Return how many connections of the pool are in use."""
    return engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]


def test_a_nested_session_uses_the_outer_connection(engine: Engine, managed: ManagedSession) -> None:
    with managed(read_only=False) as outer:
        outer.add(tag("outer"))
        outer.flush()
        with managed(read_only=False) as inner:
            inner.add(tag("inner"))
            inner.flush()
            with managed() as reader:
                assert reader.query(SqlExperimentTag).count() == 2
            assert checked_out(engine) == 1
    assert stored(managed) == {"outer", "inner"}


def test_a_failed_outer_session_keeps_nothing_of_the_inner(managed: ManagedSession) -> None:
    with pytest.raises(MlflowException, match="no"), managed(read_only=False) as outer:
        with managed(read_only=False) as inner:
            inner.add(tag("inner"))
        outer.add(tag("outer"))
        raise MlflowException("no")
    assert stored(managed) == set()


def test_a_failed_inner_session_that_is_caught_leaves_the_outer_whole(managed: ManagedSession) -> None:
    with managed(read_only=False) as outer:
        outer.add(tag("outer"))
        outer.flush()
        with pytest.raises(MlflowException), managed(read_only=False) as inner:
            inner.add(tag("inner"))
            inner.flush()
            inner.add(tag("outer"))
    assert stored(managed) == {"outer"}


def test_a_read_after_a_failed_flush_needs_no_second_connection(engine: Engine, managed: ManagedSession) -> None:
    with managed(read_only=False) as session:
        session.add(tag("taken"))
    with pytest.raises(MlflowException, match="taken is taken"), managed(read_only=False) as outer:
        outer.add(tag("taken"))
        try:
            outer.flush()
        except IntegrityError:
            with managed() as reader:
                [(key,)] = reader.query(SqlExperimentTag.key)
                assert checked_out(engine) == 1
            raise MlflowException(f"{key} is taken") from None
    assert stored(managed) == {"taken"}


def test_an_inner_commit_is_part_of_the_outer_transaction(engine: Engine, managed: ManagedSession) -> None:
    with managed(read_only=False):
        with managed(read_only=False) as inner:
            inner.add(tag("inner"))
            inner.commit()
            inner.add(tag("later"))
        other = _in_another_thread(lambda: stored(managed))
        assert other == set()
    assert stored(managed) == {"inner", "later"}


def test_a_writer_inside_a_reader_stores_by_itself(managed: ManagedSession) -> None:
    with pytest.raises(MlflowException), managed() as _:
        with managed(read_only=False) as inner:
            inner.add(tag("inner"))
        raise MlflowException("the read failed")
    assert stored(managed) == {"inner"}


def test_a_session_of_another_thread_is_not_joined(engine: Engine, managed: ManagedSession) -> None:
    def read() -> int:
        with managed() as session:
            session.query(SqlExperimentTag).count()
            return checked_out(engine)

    with managed(read_only=False) as outer:
        outer.connection()
        assert _in_another_thread(read) == 2


def test_an_exhausted_pool_is_503(engine: Engine, managed: ManagedSession) -> None:
    with engine.connect(), engine.connect():
        with pytest.raises(MlflowException) as caught, managed() as session:
            session.query(SqlExperimentTag).count()
    assert caught.value.get_http_status_code() == 503


def test_upstreams_errors_stay(managed: ManagedSession) -> None:
    with managed(read_only=False) as session:
        session.add(tag("a"))
    with pytest.raises(MlflowException) as caught, managed(read_only=False) as session:
        session.add(tag("a"))
    assert caught.value.get_http_status_code() == 400
    assert "experiment_tag" in caught.value.message


def test_sqlite_connections_are_set_up_once(sqlite_databases: Databases) -> None:
    engine = tuned_engine(upstream.create_sqlalchemy_engine)(sqlite_databases.fresh())
    maker = managed_session_maker(upstream._get_managed_session_maker)(sessionmaker(bind=engine), "sqlite")
    statements: list[str] = []
    for _ in range(2):
        with maker() as session:
            raw: Any = session.connection().connection.dbapi_connection
            raw.set_trace_callback(statements.append)
            pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            found = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 20000}
    assert not [s for s in statements if s.startswith("PRAGMA") and "=" in s]
    engine.dispose()


def test_a_sqlite_writer_holds_the_write_lock_from_its_start(sqlite_databases: Databases) -> None:
    engine = tuned_engine(upstream.create_sqlalchemy_engine)(sqlite_databases.fresh())
    maker = managed_session_maker(upstream._get_managed_session_maker)(sessionmaker(bind=engine), "sqlite")
    with maker(read_only=False) as session:
        raw: Any = session.connection().connection.dbapi_connection
        assert raw.in_transaction and raw.writer.locked()
    assert not raw.writer.locked()
    with pytest.raises(MlflowException), maker(read_only=False) as session:
        session.connection()
        raise MlflowException("no")
    assert not raw.writer.locked()
    engine.dispose()


@pytest.mark.parametrize(
    ("kind", "local"), [("ext4", True), ("nfs4", False), ("cifs", False), ("tmpfs", True)], ids=lambda v: str(v)
)
def test_network_file_systems_get_no_wal(
    kind: str, local: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"none / ext4 rw 0 0\nserver:/x /data\\040set {kind} rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)
    assert file_systems.is_local(tmp_path.__class__("/data set/mlflow.db")) is local
    assert file_systems.is_local(tmp_path.__class__("/data/mlflow.db"))


def _in_another_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(30)
    return results[0]
