"""Reads of a server with workspaces: no row of another tenant, and upstream's answers otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.store.tracking.dbmodels.models import SqlExperiment
from mlflow.utils.workspace_context import ServerWorkspaceContext
from sqlalchemy import update

from mlflow_accel.server import views
from mlflow_accel.store.accelerated import AcceleratedWorkspaceStore
from tests.parity.in_process import accelerated, by_key, ours, theirs
from tests.parity.read_rows import fill
from tests.support.databases import Databases

Filled = tuple[Any, list[str]]


@pytest.fixture(scope="module")
def tenants(databases: Databases, new_directory: Callable[[], Path]) -> Iterator[Filled]:
    """A store with workspaces: experiment 1 is team-a's, experiment 2 team-b's, the others the default one's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
        with accelerated(databases.fresh(), str(new_directory()), AcceleratedWorkspaceStore) as store:
            ids = fill(store.engine)
            with store.engine.begin() as connection:
                for number, name in ((1, "team-a"), (2, "team-b")):
                    mine = update(SqlExperiment).where(SqlExperiment.experiment_id == number)
                    connection.execute(mine.values(workspace=name))
            yield store, ids


def both(tenants: Filled, endpoint: str, method: str, sent: dict[str, Any]) -> tuple[int, Any, Any]:
    """Return upstream's status and answer, and ours."""
    route = views.ROUTES[endpoint]
    status, expected = theirs(route, method, sent)
    return status, by_key(expected), by_key(ours(route, method, sent, tenants[0]))


@pytest.mark.parametrize("workspace", ["team-a", "team-b", "default", "nobody"])
def test_a_tenant_sees_its_own_only(tenants: Filled, workspace: str) -> None:
    with ServerWorkspaceContext(workspace):
        asked: list[tuple[str, str, dict[str, Any]]] = [
            ("_search_runs", "POST", {"experiment_ids": ["1", "2", "3", "0"], "run_view_type": "ALL"}),
            ("_search_experiments", "GET", {"max_results": 10, "view_type": "ALL"}),
            ("serve_get_metric_history_bulk", "GET", {"run_id": tenants[1][:8], "metric_key": "twelve"}),
            *(("_get_experiment", "GET", {"experiment_id": number}) for number in range(4)),
            *(("_get_experiment_by_name", "GET", {"experiment_name": f"experiment {n}"}) for n in (1, 2, 3)),
            *(("_get_run", "GET", {"run_id": run}) for run in tenants[1][:20]),
            *(
                ("_get_metric_history", "GET", {"run_id": run, "metric_key": "twelve"})
                for run in tenants[1][:8]
            ),
            *(
                ("get_metric_history_bulk_interval_handler", "GET", {"run_ids": [run], "metric_key": "long"})
                for run in tenants[1][:8]
            ),
        ]
        answered = 0
        for endpoint, method, sent in asked:
            status, expected, found = both(tenants, endpoint, method, sent)
            if status == 200:
                assert found == expected, endpoint
                answered += 1
            else:
                assert isinstance(found, str), (endpoint, sent)
        assert 3 <= answered < len(asked)
