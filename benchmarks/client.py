"""The HTTP client of all that is not timed: setting up, checking, and the load of the memory workload."""

from __future__ import annotations

import http.client
import json
from typing import Any

HEADERS = {
    "User-Agent": "mlflow-python-client/3.17.2",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
    "Connection": "keep-alive",
    "X-MLflow-Client-Version": "3.17.2",
    "Content-Type": "application/json",
}
"""What the mlflow client sends with a POST, Host and Content-Length apart."""

API = "/api/2.0/mlflow"


class UnexpectedAnswer(RuntimeError):
    """A status other than 200; the message holds the request, the status and the start of the body."""


class Client:
    """One keep-alive connection; not for two threads at once. Raises ``OSError`` where the server is gone."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def send(self, method: str, path: str, body: str | None = None) -> bytes:
        """Return the body of a 200 answer; raises ``UnexpectedAnswer`` for any other."""
        # No Accept-Encoding here: nothing in this client would undo it.
        headers = {name: value for name, value in HEADERS.items() if name != "Accept-Encoding"}
        if body is None:
            del headers["Content-Type"]
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise UnexpectedAnswer(f"{method} {path}: {response.status} {data[:300]!r}")
        return data

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
