"""Requests with names in them: ``$run_id`` stands for the run that was seeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import cast

from tests.support.http import Request, json_request

Ids = dict[str, str]
"""What requests name, by the name that templates use: ``run_id``, ``experiment_id``, ``model`` ..."""

START_MS = 1_700_000_000_000
"""The time that seeded objects carry, where a request can say it."""

LATER_MS = START_MS + 60_000
"""The time that plausible requests say."""


def fill(template: object, ids: Mapping[str, str]) -> object:
    """Return ``template`` with every ``$name`` in its strings replaced from ``ids``."""
    if isinstance(template, str):
        return Template(template).substitute(ids)
    if isinstance(template, Mapping):
        return {key: fill(value, ids) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, ids) for value in template]
    return template


@dataclass(frozen=True)
class Step:
    """One request of the seeding, and what is kept of its answer: a name and where its value stands."""

    method: str
    path: str
    body: object = None
    keep: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, ids: Ids) -> Request:
        """Return the request, with ``ids`` filled in; text is sent as it stands, everything else as JSON."""
        path = cast(str, fill(self.path, ids))
        headers = cast("dict[str, str]", fill(self.headers, ids))
        if isinstance(self.body, str):
            return Request(self.method, path, headers, cast(str, fill(self.body, ids)).encode())
        return json_request(self.method, path, fill(self.body, ids), headers)
