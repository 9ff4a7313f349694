"""The routes that upstream has only in FastAPI: refused with 501, behind the same hooks as every other route."""

from __future__ import annotations

from flask import Flask
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED
from mlflow.server.handlers import _add_static_prefix, catch_mlflow_exception

RULES = (
    ("/v1/traces", ["POST"]),
    ("/ajax-api/3.0/jobs/", ["POST"]),
    ("/ajax-api/3.0/jobs/<path:rest>", ["GET", "POST", "PATCH"]),
    ("/api/3.0/mlflow/mcp-servers", ["GET", "POST"]),
    ("/api/3.0/mlflow/mcp-servers/<path:rest>", ["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ("/ajax-api/3.0/mlflow/mcp-servers", ["GET", "POST"]),
    ("/ajax-api/3.0/mlflow/mcp-servers/<path:rest>", ["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ("/gateway/<path:rest>", ["GET", "POST"]),
    ("/ajax-api/3.0/mlflow/assistant/<path:rest>", ["GET", "POST", "PUT", "PATCH", "DELETE"]),
)
"""OTLP, jobs, the MCP registry, the gateway and the assistant."""


@catch_mlflow_exception  # type: ignore[untyped-decorator]
def _not_served(rest: str = "") -> None:
    raise MlflowException(
        "mlflow-accel does not serve this route yet: it exists only in the FastAPI form of the MLflow server. "
        "Run `mlflow server` beside it for OTLP traces, jobs, the MCP registry, the gateway and the assistant.",
        error_code=NOT_IMPLEMENTED,
    )


def register(app: Flask) -> None:
    """Add the routes to ``app``."""
    for rule, methods in RULES:
        app.add_url_rule(_add_static_prefix(rule), endpoint="mlflow_accel.not_served", view_func=_not_served, methods=methods)
