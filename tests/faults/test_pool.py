"""Routes whose upstream code opens a session inside a session, under more requests than there are connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.http import Connection, json_request
from tests.support.processes import RunningServer
from tests.support.servers import ServerFactory

ONE_CONNECTION = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "1", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "0"}
CALLS = 200
AT_ONCE = 50
API = "/api/2.0/mlflow"


def post(server: RunningServer, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Send ``body`` on a connection of its own and return the status and the parsed answer."""
    with Connection(server.port) as connection:
        answer = connection.send(json_request("POST", path, body))
    return answer.status, answer.json()


def new_run(server: RunningServer) -> str:
    """Create a run in the default experiment and return its id."""
    _, answer = post(server, f"{API}/runs/create", {"experiment_id": "0"})
    run_id: str = answer["run"]["info"]["run_id"]
    return run_id


def nesting_requests(run_id: str, i: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """The ``i``-th request of each kind whose upstream code nests sessions."""
    dataset = {"name": f"d{i}", "digest": str(i), "source_type": "code", "source": "{}"}
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    trace = {"trace_id": f"tr-{run_id}{i}"[:50], "trace_location": location, "state": "OK"}
    trace |= {"request_time": "2026-01-01T00:00:00Z"}
    renaming = [{"key": "mlflow.runName", "value": f"name {i}"}]
    return {
        "runs/create": (f"{API}/runs/create", {"experiment_id": "0"}),
        "log-batch with a run name": (f"{API}/runs/log-batch", {"run_id": run_id, "tags": renaming}),
        "set-tag of the run name": (f"{API}/runs/set-tag", {"run_id": run_id, **renaming[0]}),
        "log-inputs": (f"{API}/runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset}]}),
        "logged-models": (f"{API}/logged-models", {"experiment_id": "0", "name": f"m{i}"}),
        "traces": ("/api/3.0/mlflow/traces", {"trace": {"trace_info": trace}}),
    }


KINDS = sorted(nesting_requests("", 0))


@pytest.fixture(scope="module")
def server(databases: Any, new_directory: Any) -> Any:
    """Our server, each of its engines with a pool of one connection."""
    from tests.support.servers import ours_command

    with ServerFactory(ours_command(), new_directory) as factory:
        yield factory("--backend-store-uri", databases.fresh(), "--workers", "1", env=ONE_CONNECTION)


@pytest.mark.parametrize("kind", KINDS)
def test_nesting_routes_need_one_connection(server: RunningServer, kind: str) -> None:
    """200 calls, 50 at once, on a pool of one: every one succeeds."""
    run_id = new_run(server)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        calls = [threads.submit(post, server, *nesting_requests(run_id, i)[kind]) for i in range(CALLS)]
    failed = [call.result() for call in calls if call.result()[0] != 200]
    assert not failed, f"{len(failed)} of {CALLS} failed: {failed[0]}\n{server.output()[-2000:]}"


def test_all_nesting_routes_at_once(server: RunningServer) -> None:
    """The same, mixed: no order of acquiring connections can lock up."""
    run_id = new_run(server)
    bodies = [nesting_requests(run_id, 1000 + i)[kind] for i in range(CALLS // len(KINDS)) for kind in KINDS]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        statuses = list(threads.map(lambda call: post(server, *call)[0], bodies))
    assert statuses == [200] * len(bodies)
