"""``--app-name basic-auth``: who may do what, on accelerated routes and others, is as with upstream."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.parity.conftest import SERVER_ENV, State, serve
from tests.parity.correspondence import Correspondence
from tests.parity.differences import AUTH, ROUTES, unlisted
from tests.parity.exchange import Exchange, Pair, Server
from tests.parity.odd_values import metric
from tests.parity.plausible import absent
from tests.parity.routes import upstream_routes
from tests.parity.writes import add_run, new_ids, stored
from tests.support.databases import Databases
from tests.support.http import Request, json_request, send
from tests.support.servers import UPSTREAM, ServerFactory, ours_command

PASSWORD = "correct horse battery"
SETTINGS = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{database}
admin_username = admin
auth_cache_ttl_seconds = 300
"""
USERS = {"editor": "EDIT", "reader": "READ", "stranger": None}
V2, AJAX, V3 = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow"


def basic(user: str, password: str = PASSWORD) -> dict[str, str]:
    """Return the header by which ``user`` says who it is."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


CREDENTIALS: dict[str, dict[str, str]] = {
    "nobody": {},
    "admin": basic("admin"),
    **{user: basic(user) for user in USERS},
    "a wrong password": basic("editor", "wrong horse battery"),
    "an unknown user": basic("unknown"),
    "an empty password": basic("editor", ""),
    "a token": {"Authorization": "Bearer abc"},
    "no base64": {"Authorization": "Basic ***"},
    "no colon": {"Authorization": "Basic " + base64.b64encode(b"editor").decode()},
    "an empty header": {"Authorization": ""},
}


@dataclass(frozen=True)
class Secured:
    """A tracking database with a run, and a database of users."""

    state: State
    users: Path
    run: str

    def settings(self, directory: Path) -> dict[str, str]:
        """Return the environment of a server that works on a copy of the users, in ``directory``."""
        shutil.copyfile(self.users, directory / "users.db")
        return _settings(directory)


def _settings(directory: Path) -> dict[str, str]:
    file = directory / "auth.ini"
    file.write_text(SETTINGS.format(database=directory / "users.db"))
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(file),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "not a secret",
    }


@pytest.fixture(scope="module")
def secured(databases: Databases, new_directory: Callable[[], Path]) -> Secured:
    """One run in experiment 0, and users that may edit it, read it, and do nothing."""
    state, directory, ids = (
        State(databases, databases.fresh(), new_directory(), []),
        new_directory(),
        new_ids(),
    )
    add_run(state.uri, ids, "active")
    with ServerFactory(UPSTREAM, new_directory) as upstream:
        options = ("--backend-store-uri", state.uri, "--app-name", "basic-auth")
        server = upstream(*options, env={**SERVER_ENV, **_settings(directory)})

        def post(path: str, body: object) -> None:
            answer = send(server.port, json_request("POST", path, body, CREDENTIALS["admin"]))
            assert answer.status == 200, answer

        for user, permission in USERS.items():
            post(f"{V2}/users/create", {"username": user, "password": PASSWORD})
            if permission:
                granted = {"resource_type": "experiment", "resource_id": "0", "permission": permission}
                post(f"{V3}/users/permissions/grant", {"username": user, **granted})
    return Secured(state, directory / "users.db", ids["run"])


@pytest.fixture(scope="module")
def start(secured: Secured, new_directory: Callable[[], Path]) -> Iterator[Callable[..., Pair]]:
    """Start both servers with basic authentication, each with users of its own."""
    with ExitStack() as running:
        factories = [
            running.enter_context(ServerFactory(each, new_directory)) for each in (UPSTREAM, ours_command())
        ]

        def start_pair(*options: str, prefix: str = "") -> Pair:
            def start_one(factory: ServerFactory) -> Server:
                env = secured.settings(new_directory())
                return serve(
                    factory, secured.state, "--app-name", "basic-auth", *options, env=env, prefix=prefix
                )

            with ThreadPoolExecutor(2) as pool:
                upstream, ours = pool.map(start_one, factories)
            return Pair(upstream, ours, Correspondence(secured.state.known()))

        yield start_pair


@pytest.fixture(scope="module")
def pair(start: Callable[..., Pair]) -> Pair:
    """Both servers with basic authentication."""
    return start()


def requests(run: str) -> Iterator[tuple[str, str, object]]:
    """Method, path and body of writes that are accelerated, and of other writes and reads of one run."""
    for prefix, number in ((V2, 1), (AJAX, 2)):
        yield "POST", f"{prefix}/runs/log-metric", metric(run_id=run, step=number)
        batch = {
            "run_id": run,
            "params": [{"key": f"p{number}", "value": "1"}],
            "tags": [{"key": "t", "value": "1"}],
        }
        yield "POST", f"{prefix}/runs/log-batch", batch
        yield (
            "POST",
            f"{prefix}/runs/log-batch",
            {"run_id": run, "metrics": [{"key": "a$", "value": 1, "timestamp": 1}]},
        )
        yield "POST", f"{prefix}/runs/log-metric", metric(run_id="absent")
        yield "POST", f"{prefix}/runs/log-metric", {}
    yield "POST", f"{V2}/runs/set-tag", {"run_id": run, "key": "k", "value": "v"}
    yield "POST", f"{V2}/runs/search", {"experiment_ids": ["0"]}
    yield "POST", f"{V2}/experiments/search", {"max_results": 5}
    yield "POST", f"{V2}/runs/update", {"run_id": run, "status": "FINISHED"}
    for path in (
        "runs/get?run_id=$run",
        "metrics/get-history?run_id=$run&metric_key=m",
        "experiments/get?experiment_id=0",
    ):
        yield "GET", f"{V2}/{path.replace('$run', run)}", None
    yield "GET", f"{AJAX}/metrics/get-history-bulk?run_id={run}&metric_key=m", None
    yield "GET", f"{V2}/users/current", None
    yield "GET", f"{V2}/users/get?username=editor", None
    yield "GET", "/health", None
    yield "GET", "/", None


def _request(method: str, path: str, body: object, headers: dict[str, str]) -> Request:
    return Request(method, path, headers) if body is None else json_request(method, path, body, headers)


def _assert_alike(exchanges: list[Exchange]) -> None:
    found = unlisted([finding for exchange in exchanges for finding in exchange.findings], (*ROUTES, *AUTH))
    assert not found, f"{len(found)} differences:\n" + "\n".join(map(str, found[:40]))


def test_who_may_do_what(pair: Pair, secured: Secured) -> None:
    exchanges = {}
    for number, (who, request) in enumerate(product(CREDENTIALS, requests(secured.run))):
        exchanges[who, number] = pair.ask(
            _request(*request, CREDENTIALS[who]), f"{request[0]} {request[1]}", who
        )
    _assert_alike(list(exchanges.values()))
    upstream, ours = (stored(uri, secured.run) for uri in pair.uris)
    assert upstream == ours
    hot = {
        who: {
            each.status
            for (name, _), each in exchanges.items()
            if name == who and "/runs/log-" in each.request.path
        }
        for who in CREDENTIALS
    }
    assert hot["nobody"] == hot["a wrong password"] == {401}
    assert hot["stranger"] <= {403, 404, 400}
    assert 200 in hot["editor"]
    assert 200 not in hot["reader"]


def test_one_connection_of_several_users(pair: Pair, secured: Secured) -> None:
    run = secured.run
    names = ("editor", "nobody", "stranger", "editor", "a wrong password", "admin", "reader", "nobody")
    exchanges = pair.converse(
        [
            json_request(
                "POST",
                f"{V2}/runs/log-metric",
                metric(run_id=run, key="shared", step=step),
                CREDENTIALS[name],
            )
            for step, name in enumerate(names * 3)
        ],
        "one connection",
    )
    _assert_alike(exchanges)
    assert [each.status for each in exchanges] == [200, 401, 403, 200, 401, 200, 403, 401] * 3


def test_hosts_and_origins_are_checked(pair: Pair, secured: Secured) -> None:
    odd = (
        {"Host": "foreign.example"},
        {"Origin": "https://foreign.example"},
        {"Origin": "http://localhost:3000"},
    )
    exchanges = [
        pair.ask(
            _request(*request, {**CREDENTIALS[who], **headers}),
            f"{request[0]} {request[1]}",
            f"{who} {headers}",
        )
        for who, headers, request in product(("nobody", "editor"), odd, requests(secured.run))
    ]
    _assert_alike(exchanges)
    assert {200, 401, 403} <= {each.status for each in exchanges}


def test_below_a_static_prefix(secured: Secured, start: Callable[..., Pair]) -> None:
    pair = start("--static-prefix", "/tracking", prefix="/tracking")
    exchanges = [
        pair.ask(_request(method, f"{prefix}{path}", body, CREDENTIALS[who]), path, f"{who} below {prefix!r}")
        for who, prefix in product(("nobody", "editor"), ("", "/tracking"))
        for method, path, body in requests(secured.run)
    ]
    _assert_alike(exchanges)
    assert {200, 401} <= {each.status for each in exchanges}


def test_no_route_answers_the_unknown(pair: Pair) -> None:
    exchanges = [
        pair.ask(Request(route.method, absent(route)), str(route), "nobody") for route in upstream_routes()
    ]
    _assert_alike(exchanges)
    assert sum(each.status == 401 for each in exchanges) > 400
