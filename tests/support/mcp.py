"""A registry of MCP servers with a little of everything."""

from __future__ import annotations

from mlflow.entities.mcp_server import MCPStatus, MCPTool
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

NAMES = ("io.test/first", "io.test/second", "io.test/third")
"""With versions, with none, and with a draft."""

FULL = NAMES[0]


def fill(uri: str) -> None:
    """Write them into the database at ``uri``, which nobody has open, with upstream's store."""
    store = SqlAlchemyStore(uri, "mlflow-artifacts:/")
    try:
        store.create_mcp_server(FULL, description="about the first, größer")
        store.create_mcp_server(NAMES[1])
        tools = [MCPTool("search", description="finds", input_schema={"type": "object"})]
        for version in ("1.0.0", "1.0.1"):
            store.create_mcp_server_version(_description(FULL, version), status=MCPStatus.ACTIVE, tools=tools)
        store.create_mcp_server_version(_description(NAMES[2], "0.1.0"))
        store.set_mcp_server_tag(FULL, "team", "tests")
        store.set_mcp_server_version_tag(FULL, "1.0.1", "checked", "yes")
        store.set_mcp_server_alias(FULL, "champion", "1.0.0")
        store.create_mcp_access_endpoint(FULL, "https://mcp.example/1", server_version="1.0.0")
        store.create_mcp_access_endpoint(FULL, "https://mcp.example/2", server_alias="champion")
    finally:
        store._dispose_engine()


def _description(name: str, version: str) -> dict[str, object]:
    remote = {"type": "streamable-http", "url": "https://mcp.example/"}
    return {
        "name": name,
        "version": version,
        "title": "A server",
        "description": "größer",
        "remotes": [remote],
        "_meta": {"ratio": 0.1, "count": 10**20},
    }
