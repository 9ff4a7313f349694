"""The requests by which upstream makes the state that both servers start from."""

from __future__ import annotations

from collections.abc import Iterator

from tests.parity.bodies_fastapi import server_json
from tests.parity.templates import START_MS, Step

V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
MCP = f"{V3}/mcp-servers"


def _metrics() -> Iterator[dict[str, object]]:
    for step in range(5):
        yield {"key": "loss", "value": 1.0 / (step + 1), "timestamp": START_MS + step, "step": step}
    yield {"key": "accuracy", "value": "NaN", "timestamp": START_MS, "step": 0}
    yield {"key": "ünïcode/key", "value": 1e300, "timestamp": START_MS, "step": -3}


def _trace(name: str) -> dict[str, object]:
    return {
        "trace": {
            "trace_info": {
                "trace_id": name,
                "trace_location": {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflow_experiment": {"experiment_id": "$experiment_id"},
                },
                "request_preview": "question",
                "response_preview": "answer",
                "request_time": "2023-11-14T22:13:20Z",
                "execution_duration": "1.500s",
                "state": "OK",
                "trace_metadata": {"mlflow.source.name": "test"},
                "tags": {"mlflow.traceName": "predict", "colour": "blue"},
            }
        }
    }


def _spans() -> dict[str, object]:
    span = {
        "traceId": "$otel_trace",
        "spanId": "00f067aa0ba902b7",
        "name": "predict",
        "kind": 1,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000",
        "attributes": [
            {"key": "mlflow.spanType", "value": {"stringValue": '"LLM"'}},
            {"key": "mlflow.spanInputs", "value": {"stringValue": '{"q": "question"}'}},
        ],
        "status": {"code": 1},
    }
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "test"}, "spans": [span]}]}]}


SCORER = (
    '{"name": "judge", "aggregations": [], "is_session_level_scorer": false, '
    '"builtin_scorer_class": "Safety"}'
)

STEPS = (
    Step(
        "POST",
        f"{V2}/experiments/create",
        {"name": "experiment $set", "tags": [{"key": "team", "value": "a"}]},
        {"experiment_id": "experiment_id"},
    ),
    Step(
        "POST", f"{V2}/experiments/create", {"name": "spare $set"}, {"spare_experiment_id": "experiment_id"}
    ),
    Step(
        "POST",
        f"{V2}/runs/create",
        {
            "experiment_id": "$experiment_id",
            "start_time": START_MS,
            "run_name": "run",
            "user_id": "u",
            "tags": [{"key": "mlflow.source.name", "value": "train.py"}],
        },
        {"run_id": "run.info.run_id"},
    ),
    Step(
        "POST",
        f"{V2}/runs/create",
        {"experiment_id": "$experiment_id", "start_time": START_MS + 1, "run_name": "other"},
        {"other_run_id": "run.info.run_id"},
    ),
    Step(
        "POST",
        f"{V2}/runs/log-batch",
        {
            "run_id": "$run_id",
            "metrics": list(_metrics()),
            "params": [{"key": "lr", "value": "0.1"}, {"key": "depth", "value": "3"}],
            "tags": [{"key": "stage", "value": "seeded"}],
        },
    ),
    Step(
        "POST",
        f"{V2}/runs/log-inputs",
        {
            "run_id": "$run_id",
            "datasets": [
                {
                    "tags": [{"key": "mlflow.data.context", "value": "training"}],
                    "dataset": {"name": "iris", "digest": "d1", "source_type": "local", "source": "{}"},
                }
            ],
        },
    ),
    Step(
        "PUT",
        "/api/2.0/mlflow-artifacts/artifacts/$experiment_id/$run_id/artifacts/notes/a.txt",
        "some text\n",
    ),
    Step(
        "POST",
        f"{V2}/logged-models",
        {
            "experiment_id": "$experiment_id",
            "name": "net",
            "model_type": "agent",
            "source_run_id": "$run_id",
            "params": [{"key": "p", "value": "1"}],
            "tags": [{"key": "tag", "value": "1"}],
        },
        {"model_id": "model.info.model_id"},
    ),
    Step(
        "POST", f"{V2}/runs/outputs", {"run_id": "$run_id", "models": [{"model_id": "$model_id", "step": 1}]}
    ),
    Step(
        "PUT",
        "/api/2.0/mlflow-artifacts/artifacts/$experiment_id/models/$model_id/artifacts/MLmodel",
        "flavors: {}\n",
    ),
    Step(
        "POST",
        f"{V2}/registered-models/create",
        {"name": "$model", "description": "about it", "tags": [{"key": "tag", "value": "1"}]},
    ),
    *(
        Step(
            "POST",
            f"{V2}/model-versions/create",
            {
                "name": "$model",
                "source": "mlflow-artifacts:/$experiment_id/$run_id/artifacts/notes",
                "run_id": "$run_id",
                "tags": [{"key": "tag", "value": "1"}],
            },
        )
        for _ in range(2)
    ),
    Step("POST", f"{V2}/registered-models/create", {"name": "spare-model-$set"}),
    Step("POST", f"{V2}/registered-models/alias", {"name": "$model", "alias": "champion", "version": "1"}),
    Step(
        "POST",
        f"{V2}/registered-models/create",
        {"name": "prompt-$set", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
    ),
    Step(
        "POST",
        f"{V2}/model-versions/create",
        {
            "name": "prompt-$set",
            "source": "prompt-template",
            "tags": [
                {"key": "mlflow.prompt.is_prompt", "value": "true"},
                {"key": "mlflow.prompt.text", "value": "Say {{word}}"},
            ],
        },
    ),
    Step(
        "POST",
        f"{V2}/webhooks",
        {
            "name": "hook",
            "url": "https://127.0.0.1:9/$set",
            "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
            "status": "DISABLED",
        },
        {"webhook_id": "webhook.webhook_id"},
    ),
    Step("POST", f"{V3}/traces", _trace("$trace_id")),
    Step("POST", f"{V3}/traces", _trace("$other_trace_id")),
    Step("POST", "/v1/traces", _spans(), headers={"x-mlflow-experiment-id": "$experiment_id"}),
    Step(
        "POST",
        f"{V2}/traces",
        {
            "experiment_id": "$experiment_id",
            "timestamp_ms": START_MS,
            "request_metadata": [{"key": "a", "value": "b"}],
            "tags": [{"key": "tag", "value": "1"}],
        },
        {"old_trace_id": "trace_info.request_id"},
    ),
    Step(
        "POST",
        f"{V3}/traces/$trace_id/assessments",
        {
            "assessment": {
                "assessment_name": "good",
                "trace_id": "$trace_id",
                "source": {"source_type": "HUMAN", "source_id": "u"},
                "feedback": {"value": True},
                "create_time": "2023-11-14T22:13:20Z",
                "last_update_time": "2023-11-14T22:13:20Z",
            }
        },
        {"assessment_id": "assessment.assessment_id"},
    ),
    Step(
        "POST",
        f"{V3}/datasets/create",
        {"name": "questions $set", "experiment_ids": ["$experiment_id"], "tags": '{"tag": "1"}'},
        {"dataset_id": "dataset.dataset_id"},
    ),
    Step(
        "POST",
        f"{V3}/datasets/$dataset_id/records",
        {"records": '[{"inputs": {"q": "1"}, "expectations": {"a": "2"}, "tags": {"k": "v"}}]'},
    ),
    Step(
        "POST",
        f"{V3}/scorers/register",
        {"experiment_id": "$experiment_id", "name": "judge", "serialized_scorer": SCORER},
        {"scorer_id": "scorer_id"},
    ),
    Step(
        "POST",
        f"{V3}/issues",
        {"experiment_id": "$experiment_id", "name": "slow", "description": "It is slow", "status": "pending"},
        {"issue_id": "issue.issue_id"},
    ),
    Step(
        "POST",
        f"{V3}/label-schemas/create",
        {
            "experiment_id": "$experiment_id",
            "name": "quality",
            "type": "FEEDBACK",
            "input": {"categorical": {"options": ["good", "bad"]}},
        },
        {"schema_id": "label_schema.schema_id"},
    ),
    Step(
        "POST",
        f"{V3}/review-queues/create",
        {
            "experiment_id": "$experiment_id",
            "name": "to review",
            "queue_type": "CUSTOM",
            "schema_ids": ["$schema_id"],
            "users": ["ann"],
        },
        {"queue_id": "review_queue.queue_id"},
    ),
    Step("POST", f"{V3}/review-queues/items/add", {"queue_id": "$queue_id", "item_ids": ["$trace_id"]}),
    Step(
        "POST",
        f"{V3}/gateway/secrets/create",
        {
            "secret_name": "secret-$set",
            "secret_value": [{"key": "api_key", "value": "sk-12345678"}],
            "provider": "openai",
        },
        {"secret_id": "secret.secret_id"},
    ),
    Step(
        "POST",
        f"{V3}/gateway/model-definitions/create",
        {"name": "definition-$set", "secret_id": "$secret_id", "provider": "openai", "model_name": "gpt"},
        {"model_definition_id": "model_definition.model_definition_id"},
    ),
    Step(
        "POST",
        f"{V3}/gateway/model-definitions/create",
        {"name": "spare-$set", "secret_id": "$secret_id", "provider": "openai", "model_name": "gpt"},
        {"spare_model_definition_id": "model_definition.model_definition_id"},
    ),
    Step(
        "POST",
        f"{V3}/gateway/endpoints/create",
        {
            "name": "endpoint-$set",
            "model_configs": [
                {"model_definition_id": "$model_definition_id", "linkage_type": "PRIMARY", "weight": 1.0}
            ],
        },
        {"endpoint_id": "endpoint.endpoint_id"},
    ),
    Step(
        "POST",
        f"{V3}/gateway/guardrails/create",
        {
            "name": "guard-$set",
            "scorer_id": "$scorer_id",
            "scorer_version": 1,
            "stage": "BEFORE",
            "action": "VALIDATION",
        },
        {"guardrail_id": "guardrail.guardrail_id"},
    ),
    Step(
        "POST",
        f"{V3}/gateway/budgets/create",
        {
            "budget_unit": "USD",
            "budget_amount": 10.0,
            "duration": {"unit": "DAYS", "value": 1},
            "target_scope": "GLOBAL",
            "budget_action": "ALERT",
        },
        {"budget_policy_id": "budget_policy.budget_policy_id"},
    ),
    Step("POST", MCP, {"name": "io.test/server$set", "description": "about it"}),
    *(
        Step("POST", f"{MCP}/io.test/server$set/versions", {"server_json": server_json(version)})
        for version in ("1.0.0", "1.0.1")
    ),
    Step(
        "POST",
        f"{MCP}/io.test/server$set/versions/1.0.1/tags",
        {"key": "tag", "value": "1"},
    ),
    Step("POST", f"{MCP}/io.test/server$set/tags", {"key": "tag", "value": "1"}),
    Step("POST", f"{MCP}/io.test/server$set/aliases", {"alias": "champion", "version": "1.0.0"}),
    Step(
        "POST",
        f"{MCP}/io.test/server$set/endpoints",
        {"server_version": "1.0.0", "url": "https://mcp.example/$set"},
        {"mcp_endpoint_id": "id"},
    ),
)
