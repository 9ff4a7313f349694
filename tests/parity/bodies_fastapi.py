"""What plausible requests to the routes that are FastAPI's carry, by the route's key."""

from __future__ import annotations

from collections.abc import Mapping

MCP_AREA = "3.0/mlflow/mcp-servers"
SERVER = f"{MCP_AREA}/<path:name>"
VERSION = f"{SERVER}/versions/<path:version>"
ENDPOINT = f"{SERVER}/endpoints/<endpoint_id>"


def server_json(version: str) -> dict[str, str]:
    """Return what an MCP server says of itself."""
    return {"name": "io.test/server$set", "description": "a server", "version": version}


MCP: Mapping[str, object] = {
    f"POST {MCP_AREA}": {"name": "io.test/new$set", "description": "new"},
    f"PATCH {SERVER}": {"display_name": "a name", "description": "changed"},
    f"POST {SERVER}/versions": {"server_json": server_json("1.0.2"), "status": "draft"},
    f"PATCH {VERSION}": {"status": "active"},
    f"POST {VERSION}/tags": {"key": "another", "value": "2"},
    f"POST {SERVER}/endpoints": {"server_version": "1.0.0", "url": "https://mcp.example/new$set"},
    f"PATCH {ENDPOINT}": {"url": "https://mcp.example/changed$set"},
    f"POST {SERVER}/tags": {"key": "another", "value": "2"},
    f"POST {SERVER}/aliases": {"alias": "newest", "version": "1.0.1"},
}

MCP_PATHS: Mapping[str, Mapping[str, object]] = {
    **{f"{method} {VERSION}": {"version": "1.0.1"} for method in ("GET", "PATCH", "DELETE")},
    f"POST {VERSION}/tags": {"version": "1.0.1"},
    f"DELETE {VERSION}/tags/<path:key>": {"version": "1.0.1"},
    **{f"{method} {ENDPOINT}": {"endpoint_id": "$mcp_endpoint_id"} for method in ("GET", "PATCH", "DELETE")},
}

CHAT = {"model": "absent-endpoint", "messages": [{"role": "user", "content": "hello"}]}

FASTAPI: Mapping[str, object] = {
    "POST 3.0/jobs/": {"job_name": "absent", "params": {}},
    "POST 3.0/jobs/search": {"job_name": "invoke_scorer"},
    "POST /v1/traces": {"resourceSpans": []},
    "POST /gateway/<endpoint_name>/mlflow/invocations": CHAT,
    "POST /gateway/mlflow/v1/chat/completions": CHAT,
    "POST /gateway/openai/v1/chat/completions": CHAT,
    "POST /gateway/openai/v1/embeddings": {"model": "absent-endpoint", "input": "hello"},
    "POST /gateway/openai/v1/responses": {"model": "absent-endpoint", "input": "hello"},
    "POST /gateway/anthropic/v1/messages": {**CHAT, "max_tokens": 5},
    "POST 3.0/mlflow/assistant/message": {"message": "hello"},
    "PATCH 3.0/mlflow/assistant/sessions/<session_id>": {"status": "cancelled"},
    "POST 3.0/mlflow/assistant/sessions/<session_id>/permission": {"request_id": "r", "decision": "deny"},
    "POST 3.0/mlflow/assistant/sessions/<session_id>/tool-result": {"request_id": "r", "content": "c"},
    "PUT 3.0/mlflow/assistant/config": {"providers": {"ollama": {"model": "llama", "selected": True}}},
    "POST 3.0/mlflow/assistant/skills/install": {"type": "custom"},
}
