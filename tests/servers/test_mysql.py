"""MySQL and MariaDB: every route is upstream's own, on sessions that are joined."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.faults.test_pool import AT_ONCE, KINDS, ONE_CONNECTION, nesting_requests, new_run, post
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

VARIABLE = "MLFLOW_ACCEL_TEST_MYSQL"


@pytest.fixture
def mysql_uri() -> Iterator[str]:
    """The URI of a fresh database on the server that the variable names (``mysql+pymysql://user:password@host``)."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no server; Debian's mariadb-server is one")
    url = make_url(os.environ[VARIABLE])
    name = f"test_{uuid4().hex}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


def test_every_nesting_route_on_a_pool_of_one(ours: ServerFactory, mysql_uri: str) -> None:
    # Upstream's migrations need a second connection; they run once.
    ours("--backend-store-uri", mysql_uri).stop()
    server: RunningServer = ours("--backend-store-uri", mysql_uri, env=ONE_CONNECTION)
    run_id = new_run(server)
    api = "/api/2.0/mlflow/runs"
    metric = {"run_id": run_id, "key": "m", "value": 1.5, "timestamp": 1, "step": 1}
    assert post(server, f"{api}/log-metric", metric) == (200, {})
    bodies = [nesting_requests(run_id, i)[kind] for i in range(20) for kind in KINDS]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        statuses = list(threads.map(lambda call: post(server, *call)[0], bodies))
    assert statuses == [200] * len(bodies)
