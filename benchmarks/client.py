"""The HTTP client of all that is not timed: setting up, checking, and the load of the memory workload."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any

from typing_extensions import Self

HEADERS = {
    "User-Agent": "mlflow-python-client/3.17.2",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
    "Connection": "keep-alive",
    "X-MLflow-Client-Version": "3.17.2",
    "Content-Type": "application/json",
}
"""What the mlflow client sends with a POST, Host and Content-Length apart."""

KEPT_SECONDS = 1.0
"""A connection that was not used for so long may be closed by a server any time: uvicorn does after five."""
API = "/api/2.0/mlflow"


class UnexpectedAnswer(RuntimeError):
    """A status other than 200; the message holds the request, the status and the start of the body."""


class Client:
    """One keep-alive connection; not for two threads at once. Raises ``OSError`` where the server is gone."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._used = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: str = "", more: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of an answer; ``more`` are headers beside the client's."""
        if time.monotonic() - self._used > KEPT_SECONDS:
            self._connection.close()  # it opens itself again
        # No Accept-Encoding here: nothing in this client would undo it.
        headers = {name: value for name, value in HEADERS.items() if name != "Accept-Encoding"} | dict(more or {})
        if not body:
            del headers["Content-Type"]
        self._connection.request(method, path, body or None, headers)
        response = self._connection.getresponse()
        data = response.read()
        self._used = time.monotonic()
        return response.status, data

    def send(self, method: str, path: str, body: str = "") -> bytes:
        """Return the body of a 200 answer; raises ``UnexpectedAnswer`` for any other."""
        status, data = self.ask(method, path, body)
        if status != 200:
            raise UnexpectedAnswer(f"{method} {path[:200]}: {status} {data[:300]!r}")
        return data

    def get(self, path: str) -> dict[str, Any]:
        """Return the decoded answer to a GET of a path under ``API``."""
        answer: dict[str, Any] = json.loads(self.send("GET", API + path))
        return answer

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        """Send ``fields`` as JSON to a path under ``API`` and return the decoded answer."""
        answer: dict[str, Any] = json.loads(self.send("POST", API + path, json.dumps(fields)))
        return answer

    def create_experiment(self, name: str) -> str:
        """Return the new experiment's id."""
        return str(self.post("/experiments/create", name=name)["experiment_id"])

    def create_runs(self, experiment: str, count: int) -> list[str]:
        """Return the ids of ``count`` new runs."""
        return [
            self.post(
                "/runs/create", experiment_id=experiment, user_id="bench", start_time=1_700_000_000_000 + i
            )["run"]["info"]["run_id"]
            for i in range(count)
        ]
