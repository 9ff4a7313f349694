"""What plausible requests carry. ``$name`` stands for what was seeded; see ``seed.py`` for the names."""

from __future__ import annotations

from collections.abc import Mapping

from tests.parity.bodies_fastapi import FASTAPI, MCP, MCP_PATHS
from tests.parity.bodies_genai import EVALUATION, GATEWAY, TRACES
from tests.parity.bodies_tracking import REGISTRY, TRACKING

VALUES: Mapping[str, object] = {
    "experiment_id": "$experiment_id",
    "experiment_ids": ["$experiment_id"],
    "run_id": "$run_id",
    "run_ids": ["$run_id"],
    "model_id": "$model_id",
    "trace_id": "$trace_id",
    "trace_ids": ["$trace_id"],
    "request_id": "$trace_id",
    "assessment_id": "$assessment_id",
    "dataset_id": "$dataset_id",
    "issue_id": "$issue_id",
    "schema_id": "$schema_id",
    "queue_id": "$queue_id",
    "item_ids": ["$trace_id"],
    "scorer_ids": ["$scorer_id"],
    "webhook_id": "$webhook_id",
    "secret_id": "$secret_id",
    "model_definition_id": "$model_definition_id",
    "endpoint_id": "$endpoint_id",
    "guardrail_id": "$guardrail_id",
    "budget_policy_id": "$budget_policy_id",
    "job_id": "0" * 32,
    "workspace_name": "team",
    "artifact_path": "$experiment_id/$run_id/artifacts/notes/a.txt",
    "path": "notes",
    "filename": "manifest.json",
    "metric_key": "loss",
    "key": "tag",
    "tag_key": "tag",
    "value": "a value",
    "description": "another description",
    "version": "1",
    "alias": "champion",
    "tags": [{"key": "tag", "value": "2"}],
    "params": [{"key": "p", "value": "1"}],
    "max_results": 10,
    # Of the assistant and the gateway: nothing that a program or another machine would be asked for.
    "session_id": "00000000-0000-4000-8000-000000000000",
    "provider": "claude_code",
    "endpoint_name": "absent-endpoint",
}
"""Values by the name of the field or path parameter, wherever nothing else is said."""

NAMES: Mapping[str, str] = {
    "registered-models": "$model",
    "model-versions": "$model",
    "label-schemas": "quality",
    "review-queues": "to review",
    "scorers": "judge",
    "issues": "slow",
    "experiments": "experiment $set",
    "workspaces": "team",
    "mcp-servers": "io.test/server$set",
}
"""What the field or path parameter ``name`` holds, by the area of the route."""

NEW_FILE = "$experiment_id/$run_id/artifacts/notes/new.txt"

PATHS: Mapping[str, Mapping[str, object]] = {
    "PUT 2.0/mlflow-artifacts/artifacts/<path:artifact_path>": {"artifact_path": NEW_FILE},
    "DELETE 2.0/mlflow-artifacts/artifacts/<path:artifact_path>": {"artifact_path": NEW_FILE},
    "GET /static-files/<path:path>": {"path": "index.html"},
    "GET 2.0/mlflow/traces/<request_id>/info": {"request_id": "$old_trace_id"},
    "PATCH 2.0/mlflow/traces/<request_id>": {"request_id": "$old_trace_id"},
    **MCP_PATHS,
}
"""Path parameters that differ from ``VALUES``."""

QUERIES: Mapping[str, Mapping[str, str]] = {
    "POST 2.0/mlflow/upload-artifact": {"run_uuid": "$run_id", "path": "notes/uploaded.txt"},
}
"""The query of a route that takes a body too."""

BODIES: Mapping[str, object] = {**TRACKING, **REGISTRY, **TRACES, **EVALUATION, **GATEWAY, **MCP, **FASTAPI}
"""The query of a GET, the JSON of everything else, or text that is sent as it stands; by the route's key."""
