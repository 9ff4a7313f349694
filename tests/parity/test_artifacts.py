"""Artifacts through the proxy and by run, in a local store and in S3: what upstream's default server answers to each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.parity.conftest import SERVER_ENV
from tests.parity.correspondence import Correspondence
from tests.parity.differences import CROSS_ORIGIN, SECURITY
from tests.parity.exchange import Exchange, Pair, Server
from tests.support import s3
from tests.support.databases import SqliteDatabases
from tests.support.http import Answer, Request, json_request, send
from tests.support.processes import RunningServer
from tests.support.s3 import BUCKET, S3
from tests.support.servers import UPSTREAM, ServerFactory, ours_command

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
FOLDER = f"{PROXY}/0/somewhere/artifacts"
TEXT = bytes(range(256)) * 40
MTIME = 1_700_000_000
TRANSPORT = ("Content-Length", "Content-Range", "Accept-Ranges", "Content-Encoding")

STORED = {
    "model.pkl": TEXT,
    "notes.txt": b"words",
    "page.html": b"<b>",
    "MLmodel": b"flavors:",
    "data.tar.gz": b"\x1f\x8b",
    "empty": b"",
    "with space ü.json": b"{}",
    "deep/er/file.bin": b"deep",
}

RANGES = {
    "first bytes": "bytes=0-3",
    "one byte": "bytes=0-0",
    "last bytes": "bytes=-5",
    "more than there is from the end": "bytes=-99999",
    "from the middle": "bytes=10000-",
    "past the end": "bytes=10000-99999",
    "several": "bytes=0-3,10-12,-1",
    "several that overlap": "bytes=0-10,5-20",
    "beyond the end": "bytes=99999-",
    "the wrong way round": "bytes=5-3",
    "another unit": "lines=1-2",
    "no numbers": "bytes=a-b",
    "nothing": "bytes=",
    "no equals sign": "bytes",
}

ODD_PATHS = {
    "missing": "nothing/here.txt",
    "a directory": "deep",
    "a directory with a slash": "deep/",
    "above the root": "..%2F..%2Fetc%2Fpasswd",
    "dots inside": "deep/../notes.txt",
    "absolute": "%2Fetc%2Fpasswd",
    "two slashes": "deep//er/file.bin",
    "a drive": "C:%5Cx",
    "encoded twice": "%252e%252e/x",
    "a fragment": "notes%23.txt",
    "a question mark": "notes%3F.txt",
    "NUL": "a%00b",
}


@dataclass(frozen=True)
class Stores:
    """Both servers with a store each, and how what lies there is read."""

    pair: Pair
    stored: Callable[[int, str], bytes | None]
    """Takes 0 for upstream's or 1 for ours, and a path."""


def _serve(
    stack: ExitStack,
    command: tuple[str, ...],
    made: Callable[[], Path],
    uri: str,
    *options: str,
    env: dict[str, str],
) -> Server:
    factory = stack.enter_context(ServerFactory(command, made))
    return factory("--backend-store-uri", uri, *options, env={**SERVER_ENV, **env}), uri


@pytest.fixture(scope="module")
def local(sqlite_databases: SqliteDatabases, new_directory: Callable[[], Path]) -> Iterator[Stores]:
    """Both servers with local directories, whose files are of one age: it shows in their ETags."""
    roots = [new_directory(), new_directory()]
    with ExitStack() as stack:
        servers = [
            _serve(
                stack,
                tuple(command),
                new_directory,
                sqlite_databases.fresh(),
                "--artifacts-destination",
                str(root),
                env={},
            )
            for command, root in zip((UPSTREAM, ours_command()), roots, strict=True)
        ]
        pair = Pair(*servers, Correspondence([]))

        def stored(which: int, path: str) -> bytes | None:
            file = roots[which] / "0/somewhere/artifacts" / path
            return file.read_bytes() if file.is_file() else None

        _fill(pair)
        for root in roots:
            for file in root.rglob("*"):
                os.utime(file, (MTIME, MTIME))
        yield Stores(pair, stored)


@pytest.fixture(scope="module")
def in_s3(sqlite_databases: SqliteDatabases, new_directory: Callable[[], Path]) -> Iterator[Stores]:
    """Both servers with prefixes of one bucket."""
    with ExitStack() as stack:
        store: S3 = stack.enter_context(s3.running(new_directory()))
        servers = [
            _serve(
                stack,
                tuple(command),
                new_directory,
                sqlite_databases.fresh(),
                "--artifacts-destination",
                f"s3://{BUCKET}/{name}/x",
                env=dict(store.environment),
            )
            for command, name in ((UPSTREAM, "upstream"), (ours_command(), "ours"))
        ]
        pair = Pair(*servers, Correspondence([]))

        def stored(which: int, path: str) -> bytes | None:
            key = f"{('upstream', 'ours')[which]}/x/0/somewhere/artifacts/{path}"
            if key not in store.objects():
                return None
            body: bytes = store.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            return body

        _fill(pair)
        yield Stores(pair, stored)


def _fill(pair: Pair) -> None:
    for name, content in STORED.items():
        _alike(pair.ask(Request("PUT", f"{FOLDER}/{quote(name)}", body=content), "PUT", name))


def _plain(answer: Answer) -> Answer:
    """Return the answer with the boundary between its ranges, which is made up, as ``-``."""
    found = re.search(r"boundary=(\w+)", "".join(answer.header("Content-Type")))
    if not found:
        return answer
    headers = tuple((name, value.replace(found[1], "-")) for name, value in answer.headers)
    return Answer(answer.status, headers, answer.body.replace(found[1].encode(), b"-"))


def _ask(pair: Pair, request: Request) -> Exchange:
    exchange = pair.ask(request, str(request), "")
    return pair.compared(request, *map(_plain, exchange.answers), str(request), "")


def _alike(
    exchange: Exchange, transport: tuple[str, ...] = TRANSPORT, besides: frozenset[str] = frozenset()
) -> None:
    """Assert that the answers are alike, but for the aspects ``besides``; of a fault, also for the security headers."""
    besides |= CROSS_ORIGIN | (SECURITY if exchange.status == 500 else set())
    assert not [str(finding) for finding in exchange.findings if finding.aspect not in besides]
    upstream, ours = exchange.answers
    assert [(name, ours.header(name)) for name in transport] == [
        (name, upstream.header(name)) for name in transport
    ]


@pytest.mark.parametrize("name", STORED)
def test_local_files(local: Stores, name: str) -> None:
    exchange = _ask(local.pair, Request("GET", f"{FOLDER}/{quote(name)}"))
    _alike(exchange)
    assert exchange.answers[1].body == STORED[name]
    # As upstream, whose FastAPI routes take no HEAD, so that Flask's answer it, with their ETag.
    _alike(_ask(local.pair, Request("HEAD", f"{FOLDER}/{quote(name)}")), (), frozenset({"header ETag"}))


@pytest.mark.parametrize("value", RANGES.values(), ids=RANGES)
def test_ranges_of_a_local_file(local: Stores, value: str) -> None:
    for name in ("model.pkl", "empty"):
        _alike(_ask(local.pair, Request("GET", f"{FOLDER}/{name}", {"Range": value})))


def test_conditions_on_a_local_file(local: Stores) -> None:
    path = f"{FOLDER}/model.pkl"
    whole = _ask(local.pair, Request("GET", path)).answers[1]
    etag, modified = whole.header("ETag")[0], whole.header("Last-Modified")[0]
    for headers in (
        {"If-Range": etag},
        {"If-Range": modified},
        {"If-Range": '"another"'},
        {"If-Range": f"W/{etag}"},
        {"If-None-Match": etag},
        {"If-Modified-Since": modified},
    ):
        _alike(_ask(local.pair, Request("GET", path, {"Range": "bytes=0-3", **headers})))
        _alike(_ask(local.pair, Request("GET", path, headers)))


@pytest.mark.parametrize("path", ODD_PATHS.values(), ids=ODD_PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_odd_paths_in_a_local_store(local: Stores, method: str, path: str) -> None:
    body = b"odd" if method == "PUT" else None
    _alike(_ask(local.pair, Request(method, f"{FOLDER}/{path}", body=body)))
    assert local.stored(1, path) == local.stored(0, path)


@pytest.mark.parametrize("name", [".artifact.uploading.x", "deep", "notes.txt/below", "x" * 300])
def test_uploads_that_a_local_store_refuses(local: Stores, name: str) -> None:
    exchange = _ask(local.pair, Request("PUT", f"{FOLDER}/{name}", body=b"content"))
    _alike(exchange)
    assert exchange.status >= 400
    assert local.stored(1, "notes.txt") == b"words"


@pytest.mark.parametrize("store", ["local", "in_s3"])
def test_uploads(request: pytest.FixtureRequest, store: str) -> None:
    stores: Stores = request.getfixturevalue(store)
    path, content = f"{FOLDER}/again.bin", TEXT * 1000
    for name, sent in (("again.bin", b"first"), ("again.bin", content)):
        _alike(_ask(stores.pair, Request("PUT", f"{FOLDER}/{name}", body=sent)))
        assert stores.stored(1, name) == stores.stored(0, name) == sent
    _alike(
        _ask(
            stores.pair,
            Request("PUT", path, {"Expect": "100-continue", "Content-Type": "text/html"}, content),
        )
    )
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (b"in ", b"chunks", b"")]
    chunked = Request("PUT", path, {"Transfer-Encoding": "chunked"})
    _alike(stores.pair.ask(chunked, "PUT", "chunked", pieces=lambda: iter(chunks)))
    assert stores.stored(1, "again.bin") == stores.stored(0, "again.bin") == b"in chunks"
    _alike(_ask(stores.pair, json_request("DELETE", path, {})))
    assert stores.stored(1, "again.bin") is stores.stored(0, "again.bin") is None


UNKNOWN_UPSTREAM = frozenset({"header ETag", "header Last-Modified"})
"""Of an object in a store, which upstream sends from a copy, in chunks."""


@pytest.mark.parametrize("name", STORED)
def test_objects(in_s3: Stores, name: str) -> None:
    exchange = _ask(in_s3.pair, Request("GET", f"{FOLDER}/{quote(name)}"))
    _alike(exchange, ("Content-Encoding",), UNKNOWN_UPSTREAM)
    upstream, ours = exchange.answers
    assert ours.body == STORED[name]
    assert ours.header("Content-Length") == [str(len(STORED[name]))]
    assert not upstream.header("Content-Length"), "take it off the README's list of differences"
    _alike(_ask(in_s3.pair, Request("HEAD", f"{FOLDER}/{quote(name)}")), TRANSPORT, UNKNOWN_UPSTREAM)


@pytest.mark.parametrize("value", RANGES.values(), ids=RANGES)
def test_ranges_of_an_object_are_those_of_a_file(local: Stores, in_s3: Stores, value: str) -> None:
    of_file, of_object = (
        _ask(stores.pair, Request("GET", f"{FOLDER}/model.pkl", {"Range": value})).answers
        for stores in (local, in_s3)
    )
    assert (of_object[1].status, of_object[1].body) == (of_file[1].status, of_file[1].body)
    assert of_object[1].header("Content-Range") == of_file[1].header("Content-Range")
    assert of_object[0].status == 200, "take it off the README's list of differences"


@pytest.mark.parametrize("path", [path for name, path in ODD_PATHS.items() if "directory" not in name])
def test_odd_paths_in_s3(in_s3: Stores, path: str) -> None:
    exchange = _ask(in_s3.pair, Request("GET", f"{FOLDER}/{path}"))
    answers = [replace(each, body=each.body.replace(b"/ours/", b"/upstream/")) for each in exchange.answers]
    _alike(in_s3.pair.compared(exchange.request, answers[0], answers[1], path, ""), (), UNKNOWN_UPSTREAM)


def test_a_directory_of_objects_is_refused(in_s3: Stores) -> None:
    assert _ask(in_s3.pair, Request("GET", f"{FOLDER}/model.pkl")).status == 200
    # Upstream begins an answer that it cannot continue: the connection breaks.
    ours: RunningServer = in_s3.pair.servers[1]
    answer = send(ours.port, Request("GET", f"{FOLDER}/deep"))
    assert (answer.status, "directory" in answer.body.decode()) == (400, True)


@pytest.fixture(params=["local", "in_s3"])
def run(request: pytest.FixtureRequest) -> tuple[Stores, list[str]]:
    """A run on each server, with an artifact."""
    stores: Stores = request.getfixturevalue(request.param)
    made = stores.pair.ask(
        json_request("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}), "POST", ""
    )
    ids = [answer.json()["run"]["info"]["run_id"] for answer in made.answers]  # type: ignore[index]
    for which, run_id in enumerate(ids):
        _one(stores, which, Request("PUT", f"{PROXY}/0/{run_id}/artifacts/dir/model.pkl", body=TEXT))
    return stores, ids


def _one(stores: Stores, which: int, request: Request) -> Answer:
    return send(stores.pair.servers[which].port, request)


def test_artifacts_by_run(run: tuple[Stores, list[str]]) -> None:
    stores, ids = run
    asked: list[tuple[str, dict[str, str]]] = [("GET", {"Range": value}) for value in RANGES.values()]
    for method, headers in [("GET", {}), ("HEAD", {}), *asked]:
        answers = [
            _plain(
                _one(
                    stores,
                    which,
                    Request(method, f"/get-artifact?path=dir/model.pkl&run_id={run_id}", headers),
                )
            )
            for which, run_id in enumerate(ids)
        ]
        exchange = stores.pair.compared(
            Request(method, "/get-artifact", headers), *answers, "/get-artifact", str(headers)
        )
        _alike(exchange, TRANSPORT, UNKNOWN_UPSTREAM)
    etag = _one(stores, 1, Request("GET", f"/get-artifact?path=dir/model.pkl&run_id={ids[1]}")).header(
        "ETag"
    )[0]
    again = _one(
        stores,
        1,
        Request("GET", f"/get-artifact?path=dir/model.pkl&run_id={ids[1]}", {"If-None-Match": etag}),
    )
    assert (again.status, again.body) == (304, b"")
    missing = stores.pair.compared(
        Request("GET", "/get-artifact"),
        *(
            _one(stores, which, Request("GET", f"/get-artifact?path=nothing&run_id={run_id}"))
            for which, run_id in enumerate(ids)
        ),
        "/get-artifact",
        "missing",
    )
    assert missing.answers[0].status == missing.answers[1].status
    assert missing.status >= 400
