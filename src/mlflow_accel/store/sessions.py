"""One request, one connection, one transaction: upstream's managed sessions, joined.

Upstream opens a session inside a session: logging a batch with a run name holds four connections, keeps half of a
failed batch, and stalls for the pool's whole timeout once as many requests do so as the pool has connections. Here a
session that is opened inside another on the same engine works on that one's connection, within a savepoint.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.store.db.db_types import SQLITE
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from mlflow_accel.sql.sqlite_threads import MODE

ManagedSession = Callable[..., AbstractContextManager[Session]]


@dataclass(frozen=True)
class _Open:
    """A session that is open now, who opened it, and whether it writes."""

    engine: Engine
    session: Session
    writes: bool
    owner: int


_open: ContextVar[tuple[_Open, ...]] = ContextVar("mlflow_accel_open_sessions", default=())


def managed_session_maker(original: Callable[[Any, str], ManagedSession]) -> Callable[[Any, str], ManagedSession]:
    """Wrap upstream's ``_get_managed_session_maker``; its sessions commit, roll back and report errors as before."""

    @functools.wraps(original)
    def _get_managed_session_maker(SessionMaker: sessionmaker[Session], db_type: str) -> ManagedSession:
        engine = SessionMaker.kw["bind"]
        # Upstream's own maker, told of another database, leaves out its PRAGMAs: ours are set once per connection.
        kind = "" if db_type == SQLITE else db_type
        alone = {
            read_only: original(
                sessionmaker(**{**SessionMaker.kw, "bind": engine.execution_options(**{MODE: mode})}), kind
            )
            for read_only, mode in ((True, "read"), (False, "write"))
        }

        @contextmanager
        def make_managed_session(read_only: bool = True) -> Iterator[Session]:
            outer = _joinable(engine, read_only)
            maker = original(functools.partial(_join, outer), kind) if outer else alone[read_only]
            try:
                with maker(read_only=read_only) as session:
                    entry = _Open(engine, session, not read_only, threading.get_ident())
                    token = _open.set((*_open.get(), entry))
                    try:
                        yield session
                    finally:
                        _open.reset(token)
            except MlflowException as ex:
                if isinstance(ex.__cause__, PoolTimeout):
                    # Upstream answers 400, which clients do not retry: what they logged would be lost.
                    raise MlflowException(ex.message, error_code=TEMPORARILY_UNAVAILABLE) from ex.__cause__
                raise

        return make_managed_session

    return _get_managed_session_maker


def inside(engine: Engine) -> bool:
    """Return whether this greenlet has a session open on ``engine``: another connection could wait for it forever."""
    return any(e.owner == threading.get_ident() and e.engine.pool is engine.pool for e in _open.get())


def _joinable(engine: Engine, read_only: bool) -> _Open | None:
    """Return the innermost open session of this greenlet that one on ``engine`` may join.

    A reader may join anyone; a writer only a writer: what it stores is not to hang on the fate of somebody's read.
    """
    for entry in reversed(_open.get()):
        if entry.engine is engine and entry.owner == threading.get_ident():
            if not entry.session.is_active:
                # Its flush has failed, and upstream reads on, to say which name is taken. All that is left for it
                # is this rollback; done now, its connection serves the reader.
                entry.session.rollback()
            return entry if entry.writes or read_only else None
    return None


def _join(outer: _Open) -> Session:
    return Session(bind=outer.session.connection(), join_transaction_mode="create_savepoint")
