"""Artifacts in S3 (moto's server) through gevent workers: many at a time, broken off, and by the real client."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow.store.artifact import s3_artifact_repo

from mlflow_accel.artifacts import parts, transfers
from tests.servers.journal import client_of
from tests.support import s3
from tests.support.databases import SqliteDatabases
from tests.support.http import Connection, Request, json_request, send
from tests.support.processes import RunningServer, eventually
from tests.support.s3 import BUCKET, S3
from tests.support.servers import ServerFactory

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
AT_ONCE = 20
SEVERAL_PARTS = os.urandom(parts.SIZE + 2**20)


@pytest.fixture(scope="module")
def store(new_directory: Callable[[], Path]) -> Iterator[S3]:
    """A stand-in for S3."""
    with s3.running(new_directory()) as store:
        yield store


@pytest.fixture(scope="module")
def in_s3(store: S3, module_ours: ServerFactory, sqlite_databases: SqliteDatabases) -> RunningServer:
    """Our server with one worker and its artifacts in S3."""
    options = (
        "--backend-store-uri",
        sqlite_databases.fresh(),
        "--artifacts-destination",
        f"s3://{BUCKET}/root",
    )
    return module_ours(*options, env=store.environment)


@pytest.fixture(scope="module")
def root(new_directory: Callable[[], Path]) -> Path:
    """A local store."""
    return new_directory()


@pytest.fixture(scope="module")
def in_files(root: Path, module_ours: ServerFactory, sqlite_databases: SqliteDatabases) -> RunningServer:
    """Our server with one worker and its artifacts in a local directory."""
    return module_ours("--backend-store-uri", sqlite_databases.fresh(), "--artifacts-destination", str(root))


@pytest.mark.parametrize("server", ["in_files", "in_s3"])
def test_the_client_logs_and_downloads(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/weights.bin").write_bytes(SEVERAL_PARTS)
    (folder / "MLmodel").write_text("flavors: {}")
    with client_of(request.getfixturevalue(server)) as client:
        run_id = client.create_run("0").info.run_id
        client.log_artifacts(run_id, str(folder), "model")
        client.log_artifact(run_id, str(folder / "MLmodel"))
        assert {each.path for each in client.list_artifacts(run_id)} == {"model", "MLmodel"}
        (tmp_path / "got").mkdir()
        got = Path(client.download_artifacts(run_id, "model", str(tmp_path / "got")))
    assert (got / "deep/weights.bin").read_bytes() == SEVERAL_PARTS
    assert (got / "MLmodel").read_text() == "flavors: {}"


def test_many_uploads_and_downloads_at_a_time(in_s3: RunningServer, store: S3) -> None:
    everyone = threading.Barrier(AT_ONCE + 1, timeout=60)

    def up_and_down(number: int) -> bool:
        path = f"{PROXY}/many/{number}.bin"

        def halves() -> Iterator[bytes]:
            yield SEVERAL_PARTS[:1000]
            everyone.wait()  # all are under way
            everyone.wait()  # /health has been answered
            yield SEVERAL_PARTS[1000:]

        length = {"Content-Length": str(len(SEVERAL_PARTS))}
        assert send(in_s3.port, Request("PUT", path, length), pieces=halves).status == 200
        connection = http.client.HTTPConnection("127.0.0.1", in_s3.port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        first = response.read(1)
        everyone.wait()
        everyone.wait()
        same = first + response.read() == SEVERAL_PARTS
        connection.close()
        return same

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = [pool.submit(up_and_down, number) for number in range(AT_ONCE)]
        for _ in ("uploads", "downloads"):
            everyone.wait()
            assert send(in_s3.port, Request("GET", "/health")).body == b"OK"
            everyone.wait()
        assert all(each.result() for each in done)
    assert len(store.objects("root/many/")) == AT_ONCE


def test_many_transfers_of_upstreams_own_at_a_time(in_s3: RunningServer, store: S3) -> None:
    """Those that boto3 would make with threads: ``upload-artifact``, and a directory, which is downloaded to be refused."""
    made = send(in_s3.port, json_request("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}))
    run_id = made.json()["run"]["info"]["run_id"]  # type: ignore[index]

    def transfer(number: int) -> tuple[int, int]:
        path = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run_id}&path=own/{number}/x.bin"
        up = send(
            in_s3.port, Request("POST", path, {"Content-Type": "application/octet-stream"}, SEVERAL_PARTS)
        )
        down = send(in_s3.port, Request("GET", f"{PROXY}/0/{run_id}/artifacts/own/{number}"))
        return up.status, down.status

    with ThreadPoolExecutor(5) as pool:
        assert set(pool.map(transfer, range(5))) == {(200, 400)}
    assert len(store.objects(f"root/0/{run_id}/artifacts/own/")) == 5


def _break_off(port: int, head: str, body: bytes, when: Callable[[], bool]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"PUT {PROXY}/broken/x.bin HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode() + body
        )
        eventually(when)


HEADS = {
    "of known length": ("Content-Length: 99999999", b""),
    "in chunks": ("Transfer-Encoding: chunked", b"%x\r\n" % 99999999),
}


@pytest.mark.parametrize(("head", "first"), HEADS.values(), ids=HEADS)
def test_a_broken_upload_leaves_nothing_in_s3(
    in_s3: RunningServer, store: S3, head: str, first: bytes
) -> None:
    key = "root/broken/x.bin"
    _break_off(in_s3.port, head, first + SEVERAL_PARTS, lambda: key in store.unfinished())
    eventually(lambda: not store.unfinished())
    assert key not in store.objects()


@pytest.mark.parametrize(("head", "first"), HEADS.values(), ids=HEADS)
def test_a_broken_upload_leaves_nothing_in_a_directory(
    in_files: RunningServer, root: Path, head: str, first: bytes
) -> None:
    folder = root / "broken"
    _break_off(in_files.port, head, first + SEVERAL_PARTS, lambda: folder.is_dir() and any(folder.iterdir()))
    eventually(lambda: not any(folder.iterdir()))
    assert send(in_files.port, Request("GET", "/health")).status == 200


def test_an_upload_that_s3_refuses_leaves_nothing(in_s3: RunningServer, store: S3) -> None:
    key = "root/refused/x.bin"

    def halves() -> Iterator[bytes]:
        yield SEVERAL_PARTS
        eventually(lambda: key in store.unfinished())
        upload = store.client.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["UploadId"]
        store.client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
        yield SEVERAL_PARTS

    length = {"Content-Length": str(2 * len(SEVERAL_PARTS))}
    assert send(in_s3.port, Request("PUT", f"{PROXY}/refused/x.bin", length), pieces=halves).status == 500
    assert not store.unfinished()
    assert key not in store.objects()
    assert send(in_s3.port, Request("GET", "/health")).status == 200


def test_a_reader_that_goes_away(in_s3: RunningServer) -> None:
    path = f"{PROXY}/left/x.bin"
    assert send(in_s3.port, Request("PUT", path, body=SEVERAL_PARTS)).status == 200
    for _ in range(30):  # more than there are connections to S3
        with socket.create_connection(("127.0.0.1", in_s3.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(100)
    assert send(in_s3.port, Request("GET", path)).body == SEVERAL_PARTS


def test_an_unread_body_does_not_spoil_the_connection(in_files: RunningServer) -> None:
    with Connection(in_files.port) as connection:
        for body in (b"x", SEVERAL_PARTS):
            assert connection.send(Request("PUT", f"{PROXY}/refused/", body=body)).status == 400
            assert connection.send(Request("GET", "/health")).body == b"OK"
        assert connection.send(Request("PUT", f"{PROXY}/kept/a", body=SEVERAL_PARTS)).status == 200
        assert connection.send(Request("GET", f"{PROXY}/kept/a")).body == SEVERAL_PARTS
        assert connection.opened == 1


def test_the_clients_that_upstream_makes_start_no_threads(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    client = transfers.without_threads(s3_artifact_repo._get_s3_client)()
    for name in transfers.METHODS:
        assert not getattr(client, name).keywords["Config"].use_threads
    client.close()
