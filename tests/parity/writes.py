"""What a write case is, and how it is put to both servers: answers and rows of its run are compared."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import sqlalchemy

from tests.parity.correspondence import Correspondence
from tests.parity.differences import ROUTES, unlisted
from tests.parity.exchange import Exchange, Pair
from tests.parity.templates import START_MS
from tests.support.http import Request
from tests.support.rows import engine, rows

TABLES = {
    "metrics": "run_uuid = :run",
    "latest_metrics": "run_uuid = :run",
    "params": "run_uuid = :run",
    "tags": "run_uuid = :run",
    "logged_model_metrics": "run_id = :run",
    "runs": "run_uuid = :run",
}
"""Every table that a write to a run may touch, and what selects the run's rows."""

JSON = "application/json"

Stored = dict[str, Counter[tuple[str, ...]]]
"""Rows by table, as a multiset."""


@dataclass(frozen=True)
class Case:
    """Requests to one route about one run, in order.

    A body is JSON if it is a mapping, else it is sent as it stands. In both, ``$run`` stands for the case's
    run, ``$model`` for a logged model, ``$other`` for another active run. ``run`` is the state of the run:
    ``active``, ``deleted`` or ``absent``.
    """

    name: str
    bodies: tuple[Mapping[str, object] | str | bytes, ...]
    content_type: str | None = JSON
    query: str = ""
    run: str = "active"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Put:
    """What became of one request: the answers, and the run's rows beside what they should be."""

    exchange: Exchange
    expected: Stored
    stored: Stored
    kept_half: bool
    """Whether upstream refused it and stored something all the same."""


def _fill(body: Mapping[str, object] | str | bytes, ids: Mapping[str, str]) -> bytes:
    data = json.dumps(body) if isinstance(body, Mapping) else body
    data = data.encode() if isinstance(data, str) else data
    for name, value in ids.items():
        data = data.replace(b"$" + name.encode(), value.encode())
    return data


_numbers = count()


def new_ids() -> dict[str, str]:
    """Return ids that nothing has yet, of a ``run``, of an ``other`` run and of a ``model``."""
    run, other, model = (uuid.uuid5(uuid.NAMESPACE_OID, f"run {next(_numbers)}").hex for _ in range(3))
    return {"run": run, "other": other, "model": f"m-{model}"}


def _run_row(run: str, stage: str) -> dict[str, object]:
    return {
        "run_uuid": run,
        "name": "run",
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "u",
        "status": "RUNNING",
        "start_time": START_MS,
        "source_version": "",
        "lifecycle_stage": stage,
        "artifact_uri": f"mlflow-artifacts:/0/{run}/artifacts",
        "experiment_id": 0,
    }


def _model_row(model: str) -> dict[str, object]:
    return {
        "model_id": model,
        "experiment_id": 0,
        "name": "net",
        "artifact_location": f"mlflow-artifacts:/0/models/{model}/artifacts",
        "creation_timestamp_ms": START_MS,
        "last_updated_timestamp_ms": START_MS,
        "status": 1,
        "lifecycle_stage": "active",
    }


def add_run(uri: str, ids: Mapping[str, str], stage: str) -> None:
    """Insert an active run ``other``, a logged model, and the run itself unless it is to be ``absent``."""
    added = [("runs", _run_row(ids["other"], "active")), ("logged_models", _model_row(ids["model"]))]
    if stage != "absent":
        added.append(("runs", _run_row(ids["run"], stage)))
        added.append(("tags", {"run_uuid": ids["run"], "key": "mlflow.runName", "value": "run"}))
    with engine(uri).begin() as connection:
        for table, values in added:
            statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES (:{', :'.join(values)})"
            connection.execute(sqlalchemy.text(statement), values)


def stored(uri: str, run: str) -> Stored:
    """Return the rows of ``run`` by table; ``repr`` tells -0.0 from 0.0 and an int from a float."""
    found = rows(uri, TABLES, run=run)
    return {table: Counter(tuple(map(repr, row)) for row in found[table]) for table in TABLES}


def _settled(alike: Correspondence, found: Stored) -> Stored:
    """Leave out of the run's row the time at which it was deleted, if that is now."""
    return {**found, "runs": Counter(alike.canonical(row) for row in found["runs"].elements())}


def put(pair: Pair, path: str, case: Case, atomic: bool = False) -> Iterator[Put]:
    """Make the case's run, send its requests to both servers, and yield what became of each.

    ``path`` is the route below ``/api/2.0/mlflow`` and ``/ajax-api/2.0/mlflow``; each prefix has its own run.
    ``atomic`` says that a request which upstream refuses has to leave nothing in our database, whatever it
    left in upstream's.
    """
    for prefix in ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"):
        ids = new_ids()
        for uri in pair.uris:
            add_run(uri, ids, case.run)
        before = [stored(uri, ids["run"]) for uri in pair.uris]
        for body in case.bodies:
            headers = {"Content-Type": case.content_type} if case.content_type else {}
            request = Request(
                "POST", f"{prefix}{path}{case.query}", {**headers, **case.headers}, _fill(body, ids)
            )
            exchange = pair.ask(request, f"{prefix}{path}", case.name)
            after = [stored(uri, ids["run"]) for uri in pair.uris]
            refused = exchange.status != 200
            expected = before[1] if atomic and refused else after[0]
            expected, ours = _settled(pair.alike, expected), _settled(pair.alike, after[1])
            yield Put(exchange, expected, ours, kept_half=refused and before[0] != after[0])
            before = after


def check(pair: Pair, path: str, case: Case, atomic: bool = False) -> list[Put]:
    """Put ``case`` to both servers, and fail where an answer or a row of its run differs."""
    done = []
    for each in put(pair, path, case, atomic):
        found = unlisted(each.exchange.findings, ROUTES)
        assert not found, "\n".join([repr(each.exchange.request.body), *map(str, found)])
        assert each.stored == each.expected, each.exchange.request.body
        done.append(each)
    return done
