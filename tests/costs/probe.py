"""Count what a request costs: ``python -m tests.costs.probe URI LOG NAME...`` prints ``{name: {cost: number}}``.

``URI`` is a fresh database of a PostgreSQL that writes every statement of it into ``LOG``; the names are those of
workloads of the benchmarks. The application is called as a WSGI server calls it, in this process and one request at
a time, so that every number repeats.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa

from benchmarks.client import HEADERS, Client
from benchmarks.databases import Database, Statements, count_statements
from benchmarks.rounds import LoadWorkload
from benchmarks.workloads import WORKLOADS

WARM = 10
"""Requests before those that count: drivers prepare a statement at its fifth execution."""
COUNTED = 5
FIRST_STEP = 1000

Application = Callable[[dict[str, Any], Callable[..., None]], Any]


class InProcess(Client):
    """Sends requests to an application by calling it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.size = 0
        """Bytes of the last answer, with its headers but the date."""

    def __exit__(self, *exc_info: object) -> None:
        pass

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """Return status and body of an answer."""
        seen: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            seen[:] = [status, headers]

        answer = self._application(environ(method, path, body.encode()), start_response)
        data = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        status, headers = seen
        head = sum(len(name) + len(value) + 4 for name, value in headers if name.lower() != "date")
        self.size = head + len(data)
        return int(status.split()[0]), data


def environ(method: str, path: str, body: bytes) -> dict[str, Any]:
    """Return what gunicorn gives an application for a request of the mlflow client."""
    bare, _, query = path.partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": bare,
        "RAW_URI": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "5000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:5000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    headers = {name.upper().replace("-", "_"): value for name, value in HEADERS.items()}
    content_type = headers.pop("CONTENT_TYPE")
    made |= {f"HTTP_{name}": value for name, value in headers.items()}
    return made | ({"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))} if body else {})


@contextmanager
def counted_calls() -> Iterator[list[int]]:
    """Count calls of Python functions, and of C functions by Python code. Inside what is compiled none count."""
    calls = [0]

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            calls[0] += 1

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def costs(workload: LoadWorkload, client: InProcess, database: Database, log: Path) -> dict[str, float]:
    """Return what a request of a workload costs, once all is warm, by the name of the cost."""
    data = workload.fill(client, database, 1)
    request = workload.request.about(data.ids)
    workload.check(client, database, request, data)
    requests = [request.filled(data.runs[0], FIRST_STEP + i) for i in range(WARM + COUNTED)]
    for one in requests[:WARM]:
        client.send(*one)
    start = log.stat().st_size
    calls, sizes = [], []
    for one in requests[WARM:]:
        with counted_calls() as number:
            status, data_sent = client.ask(*one)
        if status != 200:
            raise RuntimeError(f"{workload.name}: {status} {data_sent[:300]!r}")
        calls.append(number[0])
        sizes.append(client.size)
    statements = Statements()
    with log.open("rb") as written:
        written.seek(start)
        count_statements(
            written.read().decode(errors="replace"), str(database.engine.url.database), statements
        )
    return {
        "statements": statements.work / COUNTED,
        "control": statements.control / COUNTED,
        "bytes": max(sizes),
        # The least: a cache that is filled may fall into one of them.
        "calls": min(calls),
    }


def main(uri: str, log: Path, names: Sequence[str]) -> None:
    """Print the costs of the named workloads' requests."""
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    from mlflow_accel.app import application

    client = InProcess(application)
    database = Database(uri, sa.create_engine(uri, poolclass=sa.pool.NullPool))
    empty = database.empty_tables()
    found = {}
    for name in names:
        workload = WORKLOADS[name]
        if not isinstance(workload, LoadWorkload):
            raise TypeError(f"{name} is no workload under load")
        database.clear(empty)
        found[name] = costs(workload, client, database, log)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
