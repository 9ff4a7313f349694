"""mlflow-oidc-auth, the most used app plugin that is an ASGI application, around our views and stores."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import accelerated
from tests.servers.counting import Counting
from tests.servers.test_plugin import answers_fast
from tests.support.databases import SqliteDatabases
from tests.support.http import Request, send
from tests.support.processes import RunningServer, clean_environment
from tests.support.servers import ServerFactory

# It cannot be among the test requirements: it wants gunicorn below 24, to run upstream's server, and Python 3.12.
pytest.importorskip(
    "mlflow_oidc_auth", reason="needs mlflow-oidc-auth: pip install --no-deps mlflow-oidc-auth, and more"
)

ADD_USER = """
from datetime import datetime, timedelta, timezone
from mlflow_oidc_auth.store import store
store.create_user("ann", "Ann", is_admin=True)
print(store.create_user_token("ann", "test", datetime.now(timezone.utc) + timedelta(days=1), None)[1])
"""


@pytest.fixture(scope="module")
def settings(new_directory: Callable[[], Path]) -> dict[str, str]:
    """The plugin's settings: a database of its own."""
    return {"SECRET_KEY": "secret", "OIDC_USERS_DB_URI": f"sqlite:///{new_directory()}/users.db"}


@pytest.fixture(scope="module")
def server(
    module_ours: ServerFactory,
    sqlite_databases: SqliteDatabases,
    runtime_directory: dict[str, str],
    settings: dict[str, str],
) -> RunningServer:
    """Our server with the plugin."""
    uri = sqlite_databases.fresh()
    return module_ours(
        "--backend-store-uri", uri, "--app-name", "oidc-auth", env=settings | runtime_directory
    )


@pytest.fixture(scope="module")
def ann(server: RunningServer, settings: dict[str, str]) -> dict[str, str]:
    """The header by which an administrator says who she is."""
    command = [sys.executable, "-W", "ignore", "-c", ADD_USER]
    environment = clean_environment(settings)
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
    token = told.stdout.split()[-1]
    return {"Authorization": "Basic " + base64.b64encode(f"ann:{token}".encode()).decode()}


def test_it_guards_every_accelerated_route(server: RunningServer) -> None:
    counting = Counting(server)
    refused = [send(server.port, request) for request in accelerated.requests("0" * 32)]
    assert {answer.status for answer in refused} <= {401, 403}
    assert counting.counts() == {}


def test_it_guards_fastapis_routes(server: RunningServer) -> None:
    assert send(server.port, Request("GET", "/gateway/mlflow/v1/models")).status in (401, 403)


def test_its_requests_are_answered_fast(server: RunningServer, ann: dict[str, str]) -> None:
    answers_fast(server, ann)
