"""Upstream's routes, read off its Flask application."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from tests.support.processes import clean_environment

LIST_ROUTES = """
import json
from mlflow.server import app
rules = [(r.rule, m) for r in app.url_map.iter_rules() for m in r.methods - {"HEAD", "OPTIONS"}]
print(json.dumps(sorted(rules)))
"""


@dataclass(frozen=True, order=True)
class Route:
    """A path rule and one of its methods."""

    rule: str
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def half(self) -> int:
        """Which half of the seeded state the route works on."""
        return 1 if self.rule.startswith("/ajax-api/") else 0

    @property
    def key(self) -> str:
        """The route without the prefix of which there are two: ``POST 2.0/mlflow/runs/create``."""
        return f"{self.method} {self.rule.removeprefix('/api/').removeprefix('/ajax-api/')}"


def upstream_routes() -> list[Route]:
    """Return every method and path rule of upstream's Flask application, but HEAD and OPTIONS.

    The application is imported in a process of its own: it reads its settings while it is imported.
    """
    command = [sys.executable, "-W", "ignore", "-c", LIST_ROUTES]
    listed = subprocess.run(
        command, env=clean_environment(), check=True, capture_output=True, timeout=120
    ).stdout
    # An application plugin or a rule may be there twice, once per handler: one request asks them both.
    return sorted({Route(rule, method) for rule, method in json.loads(listed)})
