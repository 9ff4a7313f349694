"""Every difference from upstream that is meant: the README's list, as far as an answer shows it.

A difference that no entry describes fails the comparison, and so does an entry that describes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.parity.exchange import Finding


@dataclass(frozen=True)
class Difference:
    """A difference that is meant, why, and how it is known when it is seen."""

    name: str
    reason: str
    describes: Callable[[Finding], bool]


CROSS_ORIGIN = {
    "header Access-Control-Allow-Credentials",
    "header Access-Control-Allow-Origin",
    "header Access-Control-Expose-Headers",
    "header Vary",
}
SECURITY = {"header X-Content-Type-Options", "header X-Frame-Options"}
PREFLIGHT = {
    "status",
    "content-type",
    "body",
    "header Access-Control-Allow-Headers",
    "header Access-Control-Allow-Methods",
    "header Access-Control-Max-Age",
    "header Allow",
    *CROSS_ORIGIN,
    *SECURITY,
}

ROUTES: tuple[Difference, ...] = (
    Difference(
        "preflight",
        "Flask's own answer to OPTIONS: 204 and the methods of the route, to every origin; a browser then "
        "decides by the headers that are missing. Upstream's default server answers before Flask is reached.",
        lambda finding: finding.case.startswith("preflight") and finding.aspect in PREFLIGHT,
    ),
    Difference(
        "refusal",
        "A refused host or origin is told so in Flask's 403: it names its charset, and carries the security "
        "headers that upstream's lacks.",
        lambda finding: (
            finding.status == 403
            and (finding.aspect in SECURITY | CROSS_ORIGIN or finding.upstream == ["text/plain"])
        ),
    ),
    Difference(
        "cross-origin headers",
        "As Flask-CORS writes them: to the allowed origins only, and without Access-Control-Expose-Headers.",
        lambda finding: finding.status != 403 and finding.aspect in CROSS_ORIGIN,
    ),
)
"""Differences in the answers to single requests, with the default settings and one allowed origin."""


WORKSPACES: tuple[Difference, ...] = (
    Difference(
        "refused workspace",
        "The answer carries the security headers: upstream's default server refuses before it adds them.",
        lambda finding: finding.status != 403 and finding.aspect in SECURITY and finding.upstream == [],
    ),
)
"""Differences in the answers to requests that name a workspace."""


AUTH: tuple[Difference, ...] = (
    Difference(
        "unknown user",
        "Refused by Flask, with the security headers, and as HTML: upstream's default server refuses artifact bytes "
        "before it adds them, and as plain text.",
        lambda finding: (
            finding.status == 401
            and "/mlflow-artifacts/artifacts/" in finding.route
            and (
                (finding.aspect in SECURITY and finding.upstream == [])
                or (finding.aspect == "content-type" and finding.upstream == ["text/plain; charset=utf-8"])
            )
        ),
    ),
)
"""Differences in the answers of a server that asks who its users are."""


def unlisted(findings: Iterable[Finding], listed: Iterable[Difference] = ()) -> list[Finding]:
    """Return the findings that nothing listed describes."""
    return [finding for finding in findings if not any(each.describes(finding) for each in listed)]


def unseen(findings: Sequence[Finding], listed: Iterable[Difference]) -> list[str]:
    """Return the names of the listed differences of which there is no example."""
    return [each.name for each in listed if not any(map(each.describes, findings))]
