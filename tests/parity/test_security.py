"""Security options and static prefix, from flags, environment and ``--env-file``: as upstream's flags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parity.conftest import State, serve
from tests.parity.correspondence import Correspondence
from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Pair, Server
from tests.parity.odd_values import metric
from tests.parity.writes import add_run, new_ids
from tests.support.databases import SqliteDatabases
from tests.support.http import Request, json_request
from tests.support.servers import UPSTREAM, ServerFactory, ours_command


@dataclass(frozen=True)
class Options:
    """Options as flags, and the same as environment variables."""

    name: str
    flags: tuple[str, ...]
    env: dict[str, str]
    prefix: str = ""


CONFIGURATIONS = (
    Options("default", (), {}),
    Options(
        "restricted",
        (
            *("--allowed-hosts", "mlflow.example, *.internal.example,localhost:*"),
            *("--cors-allowed-origins", "https://ok.example,https://*.wild.example"),
            *("--x-frame-options", "deny"),
            *("--static-prefix", "/tracking"),
        ),
        {
            "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.example, *.internal.example,localhost:*",
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "https://ok.example,https://*.wild.example",
            "MLFLOW_SERVER_X_FRAME_OPTIONS": "deny",
            "MLFLOW_STATIC_PREFIX": "/tracking",
        },
        prefix="/tracking",
    ),
    Options(
        "open",
        ("--allowed-hosts", "*", "--cors-allowed-origins", "*", "--x-frame-options", "NONE"),
        {
            "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*",
            "MLFLOW_SERVER_X_FRAME_OPTIONS": "NONE",
        },
    ),
    Options(
        "disabled", ("--disable-security-middleware",), {"MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true"}
    ),
)

HOSTS = (
    "localhost",
    "localhost:5000",
    "LOCALHOST:5000",
    "127.0.0.1",
    "[::1]:5000",
    "192.168.1.5:5000",
    "mlflow.example",
    "mlflow.example:5000",
    "deep.internal.example",
    "internal.example",
    "foreign.example",
    "localhost.foreign.example",
    "",
)

ORIGINS = (
    None,
    "http://localhost:3000",
    "https://127.0.0.1",
    "https://ok.example",
    "https://ok.example:8443",
    "http://ok.example",
    "https://a.wild.example",
    "https://foreign.example",
    "null",
    "",
)


@pytest.fixture(scope="module")
def state(sqlite_databases: SqliteDatabases, new_directory: Callable[[], Path]) -> State:
    """A database with one run."""
    ids = new_ids()
    state = State(sqlite_databases, sqlite_databases.fresh(), new_directory(), [ids])
    add_run(state.uri, ids, "active")
    return state


@pytest.fixture(scope="module", params=CONFIGURATIONS, ids=lambda options: options.name)
def options(request: pytest.FixtureRequest) -> Options:
    """Each set of options in turn."""
    found: Options = request.param
    return found


@pytest.fixture(scope="module")
def upstream_server(options: Options, state: State, new_directory: Callable[[], Path]) -> Iterator[Server]:
    """Upstream's default server, given the flags."""
    with ServerFactory(UPSTREAM, new_directory) as factory:
        yield serve(factory, state, *options.flags, prefix=options.prefix)


@pytest.fixture(scope="module", params=["flags", "environment", "env-file"])
def pair(
    request: pytest.FixtureRequest,
    options: Options,
    upstream_server: Server,
    state: State,
    new_directory: Callable[[], Path],
) -> Iterator[Pair]:
    """Upstream's server, and ours told the same in one of three ways."""
    with ServerFactory(ours_command(), new_directory) as factory:
        if request.param == "flags":
            ours = serve(factory, state, *options.flags, prefix=options.prefix)
        elif request.param == "environment":
            ours = serve(factory, state, env=options.env, prefix=options.prefix)
        else:
            file = new_directory() / "server.env"
            file.write_text("".join(f'{name}="{value}"\n' for name, value in options.env.items()))
            ours = serve(factory, state, env_file=file, prefix=options.prefix)
        yield Pair(upstream_server, ours, Correspondence(state.known()))


def requests(prefix: str, run: str) -> Iterator[Request]:
    """A hot write, one that is declined, other writes, reads, and pages, below ``prefix``."""
    api = f"{prefix}/api/2.0/mlflow"
    yield json_request("POST", f"{api}/runs/log-metric", metric(run_id=run))
    yield json_request("POST", f"{prefix}/ajax-api/2.0/mlflow/runs/log-batch", {"run_id": run, "tags": []})
    yield json_request("POST", f"{api}/runs/log-metric", metric(run_id=run, timestamp=-1))
    yield json_request("POST", f"{api}/runs/set-tag", {"run_id": run, "key": "k", "value": "v"})
    yield json_request("POST", f"{api}/runs/search", {"experiment_ids": ["0"]})
    for path in ("/api/2.0/mlflow/experiments/get?experiment_id=0", "/health", "/version", "/", "/absent"):
        yield Request("GET", f"{prefix}{path}")
    yield json_request("POST", f"{prefix}/graphql", {"query": "{ test(inputString: 1) { output } }"})


def _check(pair: Pair, cases: Iterator[tuple[str, Request]]) -> None:
    exchanges = [pair.ask(request, str(request), case) for case, request in cases]
    found = unlisted([finding for exchange in exchanges for finding in exchange.findings], ROUTES)
    assert not found, f"{len(found)} differences:\n" + "\n".join(map(str, found[:40]))
    assert {200} < {exchange.status for exchange in exchanges}


def test_hosts(pair: Pair, options: Options, state: State) -> None:
    cases = (
        (f"host {host!r}", Request(each.method, each.path, {**each.headers, "Host": host}, each.body))
        for host in HOSTS
        for each in requests(options.prefix, state.ids[0]["run"])
    )
    _check(pair, cases)


def test_origins(pair: Pair, options: Options, state: State) -> None:
    cases = (
        (f"origin {origin!r}", Request(each.method, each.path, {**each.headers, **headers}, each.body))
        for origin in ORIGINS
        for headers in [{"Host": "localhost:5000"} | ({} if origin is None else {"Origin": origin})]
        for each in requests(options.prefix, state.ids[0]["run"])
    )
    _check(pair, cases)


def test_paths_outside_the_prefix(pair: Pair, options: Options, state: State) -> None:
    cases = (
        (
            f"below {prefix!r}",
            Request(each.method, each.path, {**each.headers, "Host": "localhost:5000"}, each.body),
        )
        for prefix in ("", "/tracking", "/other", "/tracking/tracking")
        for each in requests(prefix, state.ids[0]["run"])
    )
    _check(pair, cases)
