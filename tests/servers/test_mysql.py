"""MySQL and MariaDB: the clients' writes are fast, upstream's own code runs on joined sessions, and nobody deadlocks."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.test_pool import AT_ONCE, KINDS, ONE_CONNECTION, nesting_requests, new_run, post
from tests.load.test_writers import SECONDS, Writer, batches, finished, new_runs
from tests.support.mysql import MysqlDatabases
from tests.support.processes import RunningServer
from tests.support.rows import rows
from tests.support.servers import ServerFactory, ours_command


@pytest.fixture
def mysql_uri(mysql_databases: MysqlDatabases) -> str:
    """The URI of a fresh database."""
    return mysql_databases.fresh()


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_processes_that_write_to_the_same_runs(
    mysql_databases: MysqlDatabases, new_directory: Callable[[], Path], driver: str
) -> None:
    if driver == "mysqldb" and importlib.util.find_spec("MySQLdb") is None:
        pytest.skip("mysqlclient is not installed; it is built with Debian's libmariadb-dev")
    uri = mysql_databases.fresh()
    with ServerFactory(ours_command(), new_directory) as factory:
        server = factory("--backend-store-uri", mysql_databases.through(uri, driver), "--workers", "4")
        run_ids = new_runs(server.port, 4)
        until = time.monotonic() + SECONDS
        writers = [Writer(server.port, batches(run_ids[writer % 4], writer, 500), until) for writer in range(12)]
        acknowledged = finished(writers)
    assert min(acknowledged) > 0
    found = rows(uri, {"metrics": "true", "latest_metrics": "true"})
    assert len(found["metrics"]) == sum(acknowledged) * 500
    assert len(found["latest_metrics"]) == 4 * 500


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
