"""Workspaces: tenants that share a connection, or a moment, reach their own only, as with upstream."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from tests.parity.conftest import SERVER_ENV, PairStarter, State
from tests.parity.differences import ROUTES, WORKSPACES, unlisted, unseen
from tests.parity.exchange import Exchange, Finding, Pair
from tests.parity.odd_values import metric
from tests.parity.templates import START_MS
from tests.parity.writes import add_run, new_ids, stored
from tests.support.databases import Databases
from tests.support.http import Connection, Request, json_request
from tests.support.rows import all_rows
from tests.support.servers import UPSTREAM, ServerFactory

V2, AJAX, V3 = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow"
TENANTS = ("team-a", "team-b")


def within(workspace: str | None) -> dict[str, str]:
    """Return the header that names ``workspace``, or none."""
    return {} if workspace is None else {"X-MLFLOW-WORKSPACE": workspace}


def _seed(port: int) -> dict[str, dict[str, str]]:
    """Make a workspace for each tenant, and an experiment with a run in each and in the default one."""
    ids: dict[str, dict[str, str]] = {}
    with Connection(port) as connection:

        def post(path: str, body: object, workspace: str | None) -> dict[str, dict[str, dict[str, str]]]:
            answer = connection.send(json_request("POST", path, body, within(workspace)))
            assert answer.status in (200, 201), answer
            return answer.json()  # type: ignore[return-value]

        for tenant in TENANTS:
            post(f"{V3}/workspaces", {"name": tenant}, None)
        for tenant in (*TENANTS, "default"):
            made = post(f"{V2}/experiments/create", {"name": "mine"}, tenant)
            experiment = str(made["experiment_id"])
            body = {"experiment_id": experiment, "start_time": START_MS}
            run = post(f"{V2}/runs/create", body, tenant)["run"]["info"]["run_id"]
            ids[tenant] = {"experiment_id": experiment, "run_id": run}
    return ids


@pytest.fixture(scope="module")
def tenants(
    databases: Databases, new_directory: Callable[[], Path]
) -> tuple[State, dict[str, dict[str, str]]]:
    """A database with two tenants' workspaces, and what lies in them."""
    uri = databases.fresh()
    with ServerFactory(UPSTREAM, new_directory) as upstream:
        server = upstream("--backend-store-uri", uri, "--enable-workspaces", env=SERVER_ENV)
        ids = _seed(server.port)
    return State(databases, uri, new_directory(), []), ids


@pytest.fixture(scope="module")
def pair(tenants: tuple[State, object], both_servers: PairStarter) -> Iterator[Pair]:
    """Both servers with workspaces enabled."""
    with both_servers(tenants[0], "--enable-workspaces") as pair:
        yield pair


def requests_of(workspace: str | None, ids: dict[str, str], number: int) -> Iterator[Request]:
    """Writes and reads of one run and its experiment, in the name of ``workspace``."""
    header, run = within(workspace), ids["run_id"]
    point = metric(run_id=run, key=f"m{number}", step=number)
    yield json_request("POST", f"{V2}/runs/log-metric", point, header)
    yield json_request("POST", f"{AJAX}/runs/log-metric", {**point, "step": -number}, header)
    batch = {
        "run_id": run,
        "params": [{"key": f"p{number}", "value": "1"}],
        "tags": [{"key": "t", "value": f"{number}"}],
    }
    yield json_request("POST", f"{V2}/runs/log-batch", batch, header)
    yield json_request(
        "POST", f"{V2}/runs/set-tag", {"run_id": run, "key": f"s{number}", "value": "1"}, header
    )
    yield Request("GET", f"{V2}/runs/get?run_id={run}", header)
    yield Request("GET", f"{V2}/metrics/get-history?run_id={run}&metric_key=m{number}", header)
    search = {"experiment_ids": [ids["experiment_id"]], "filter": f"attributes.run_id = '{run}'"}
    yield json_request("POST", f"{V2}/runs/search", search, header)
    yield json_request("POST", f"{V2}/experiments/search", {"max_results": 10}, header)


def _findings(exchanges: list[Exchange]) -> list[Finding]:
    return [finding for exchange in exchanges for finding in exchange.findings]


def _assert_alike(exchanges: list[Exchange]) -> None:
    found = unlisted(_findings(exchanges), ROUTES + WORKSPACES)
    assert not found, f"{len(found)} differences:\n" + "\n".join(map(str, found[:40]))


def _assert_rows_alike(pair: Pair) -> None:
    upstream, ours = (
        {table: sorted(map(pair.alike.canonical, found)) for table, found in all_rows(uri).items()}
        for uri in pair.uris
    )
    assert upstream == ours


def test_tenants_that_share_a_connection(
    pair: Pair, tenants: tuple[State, dict[str, dict[str, str]]]
) -> None:
    ids = tenants[1]
    combinations = list(product((None, *TENANTS, "absent", "", "not a name!"), ids))
    requests = [
        request
        for number, (workspace, owner) in enumerate(combinations)
        for request in requests_of(workspace, ids[owner], number)
    ]
    random.Random(0).shuffle(requests)
    exchanges = pair.converse(requests, "one connection")
    _assert_alike(exchanges)
    _assert_rows_alike(pair)
    statuses = {exchange.status for exchange in exchanges}
    assert {200, 404} <= statuses


def test_tenants_that_write_at_the_same_time(
    pair: Pair, tenants: tuple[State, dict[str, dict[str, str]]]
) -> None:
    ids = tenants[1]

    def write(number: int) -> list[Exchange]:
        workspace = TENANTS[number % 2]
        requests = [
            json_request(
                "POST",
                f"{V2}/runs/log-metric",
                metric(run_id=ids[owner]["run_id"], key=f"c{number}", step=step),
                within(workspace),
            )
            for step in range(20)
            for owner in TENANTS
        ]
        return pair.converse(requests, f"connection {number}")

    with ThreadPoolExecutor(8) as pool:
        exchanges = [each for found in pool.map(write, range(8)) for each in found]
    _assert_alike(exchanges)
    assert [exchange.status for exchange in exchanges].count(200) == len(exchanges) // 2
    _assert_rows_alike(pair)


def test_a_workspace_is_refused_where_there_are_none(write_pair: Pair) -> None:
    ids = new_ids()
    for uri in write_pair.uris:
        add_run(uri, ids, "active")
    mine = {"run_id": ids["run"], "experiment_id": "0"}
    requests = [
        request
        for number, workspace in enumerate((None, "team-a", None, "team-a", "", "default", "team-a", None))
        for request in (
            *requests_of(workspace, mine, number),
            Request("GET", f"{V3}/server-info", within(workspace)),
            Request("GET", "/version", within(workspace)),
        )
    ]
    exchanges = write_pair.converse(requests, "workspaces off")
    _assert_alike(exchanges)
    assert stored(write_pair.uris[0], ids["run"]) == stored(write_pair.uris[1], ids["run"])
    refused = [each for each in exchanges if each.request.headers.get("X-MLFLOW-WORKSPACE") == "team-a"]
    assert [each.status for each in refused] == [*[500] * 8, 200, 500] * 3
    assert not unseen(_findings(refused), WORKSPACES), "take it off the list, and off the README's"
