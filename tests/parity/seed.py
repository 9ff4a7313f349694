"""The state that both servers start from: made once, by upstream, and then copied for each.

It is made twice over: what ``/api`` routes work on, and the same again for ``/ajax-api``, so that a route
that deletes something finds it there under both prefixes.
"""

from __future__ import annotations

from typing import cast

from tests.parity.seed_steps import STEPS
from tests.parity.templates import Ids
from tests.support.http import Connection
from tests.support.processes import RunningServer


def _at(answer: object, place: str) -> str:
    for name in place.split("."):
        answer = cast("dict[str, object]", answer)[name]
    return str(answer)


def seed(server: RunningServer) -> list[Ids]:
    """Make the state on a running server; return the ids of ``/api``'s half and of ``/ajax-api``'s."""
    halves = []
    with Connection(server.port) as connection:
        for number in range(2):
            ids = {
                "set": str(number),
                "model": f"model-{number}",
                "trace_id": f"tr-{number:032x}",
                "other_trace_id": f"tr-{number + 16:032x}",
                "otel_trace": f"{number + 32:032x}",
            }
            for step in STEPS:
                answer = connection.send(step.request(ids))
                if not 200 <= answer.status < 300:
                    raise AssertionError(f"{step.method} {step.path}: {answer.status} {answer.body.decode()}")
                ids |= {name: _at(answer.json(), place) for name, place in step.keep.items()}
            halves.append(ids)
    return halves
