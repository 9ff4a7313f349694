"""The order in which the routes are asked, so that each finds what it needs: reads, changes, deletions."""

from __future__ import annotations

from collections.abc import Iterable

from tests.parity.routes import Route

LAST = (
    "DELETE traces/<trace_id>/assessments/<assessment_id>",
    "DELETE traces/<request_id>/tags",
    "DELETE traces/<trace_id>/tags",
    "POST review-queues/items/remove",
    "POST review-queues/delete",
    "DELETE label-schemas/delete",
    "POST traces/delete-traces",
    "POST experiments/delete-experiment-tag",
    "POST runs/delete-tag",
    "POST runs/delete",
    "POST runs/restore",
    "POST experiments/delete",
    "POST experiments/restore",
    "DELETE registered-models/delete-tag",
    "DELETE model-versions/delete-tag",
    "DELETE registered-models/alias",
    "DELETE model-versions/delete",
    "DELETE registered-models/delete",
    "DELETE logged-models/<model_id>/tags/<tag_key>",
    "DELETE logged-models/<model_id>",
    "DELETE datasets/<dataset_id>/records",
    "POST datasets/<dataset_id>/remove-experiments",
    "DELETE datasets/<dataset_id>/tags/<key>",
    "DELETE datasets/<dataset_id>",
    "DELETE gateway/guardrails/remove-from-endpoint",
    "DELETE gateway/guardrails/delete",
    "DELETE gateway/endpoints/bindings/delete",
    "POST gateway/endpoints/models/detach",
    "DELETE gateway/endpoints/delete-tag",
    "DELETE gateway/endpoints/delete",
    "DELETE gateway/model-definitions/delete",
    "DELETE gateway/secrets/delete",
    "DELETE gateway/budgets/delete",
    "DELETE scorers/delete",
    "DELETE webhooks/<webhook_id>",
    "DELETE mcp-servers/<path:name>/versions/<path:version>/tags/<path:key>",
    "DELETE mcp-servers/<path:name>/tags/<path:key>",
    "DELETE mcp-servers/<path:name>/aliases/<path:alias>",
    "DELETE mcp-servers/<path:name>/endpoints/<endpoint_id>",
    "DELETE mcp-servers/<path:name>/versions/<path:version>",
    "DELETE mcp-servers/<path:name>",
)
"""Routes that take something away or bring it back, in the order in which they can."""

FIRST = ("POST gateway/guardrails/add-to-endpoint",)
"""Routes that others which change something build on."""


def _rank(route: Route) -> tuple[int, int, str]:
    name = f"{route.method} {route.rule.split('/mlflow/')[-1]}"
    if name in LAST:
        return 3, LAST.index(name), str(route)
    if name in FIRST:
        return 1, 0, str(route)
    return 0 if route.method == "GET" else 2, 0, str(route)


def in_order(routes: Iterable[Route]) -> list[Route]:
    """Return ``routes`` in an order in which each finds what it works on."""
    return sorted(routes, key=_rank)
