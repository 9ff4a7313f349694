"""Upstream's routes, read off its Flask application and the FastAPI application around it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass

from tests.support.processes import clean_environment

LIST_ROUTES = """
import json
from mlflow.server import app, fastapi_app

def native(routes):
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from native(route.effective_candidates())
        elif hasattr(route, "methods"):
            yield route

rules = [(r.rule, r.methods) for r in app.url_map.iter_rules()]
rules += [(r.path, r.methods) for r in native(fastapi_app.app.routes)]
print(json.dumps(sorted((rule, method) for rule, methods in rules for method in methods - {"HEAD", "OPTIONS"})))
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
    """Return every method and path rule of upstream's default server, in Flask's form, but HEAD and OPTIONS.

    The application is imported in a process of its own: it reads its settings while it is imported.
    """
    command = [sys.executable, "-W", "ignore", "-c", LIST_ROUTES]
    listed = subprocess.run(
        command, env=clean_environment(), check=True, capture_output=True, timeout=120
    ).stdout
    # An application plugin or a rule may be there twice, once per handler: one request asks them both.
    return sorted({Route(_in_flasks_form(rule), method) for rule, method in json.loads(listed)})


def _in_flasks_form(rule: str) -> str:
    return re.sub(r"{(\w+)}", r"<\1>", re.sub(r"{(\w+):path}", r"<path:\1>", rule))
