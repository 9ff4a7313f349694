"""What plausible requests to the routes of traces, evaluation and gateway carry, by the route's key."""

from __future__ import annotations

from collections.abc import Mapping

from tests.parity.seed_steps import SCORER
from tests.parity.templates import LATER_MS

EXPERIMENT_LOCATION = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "$experiment_id"}}
MODEL_CONFIG = {"model_definition_id": "$model_definition_id", "linkage_type": "FALLBACK", "weight": 1.0}
BUDGET = {
    "budget_unit": "USD",
    "budget_amount": 20.5,
    "duration": {"unit": "HOURS", "value": 2},
    "target_scope": "GLOBAL",
    "budget_action": "ALERT",
}
JUDGE = {"experiment_id": "$experiment_id", "serialized_scorer": SCORER, "trace_ids": ["$trace_id"]}
TRACES: Mapping[str, object] = {
    "POST 2.0/mlflow/traces": {
        "experiment_id": "$experiment_id",
        "timestamp_ms": LATER_MS,
        "request_metadata": [{"key": "a", "value": "b"}],
        "tags": [{"key": "c", "value": "d"}],
    },
    "PATCH 2.0/mlflow/traces/<request_id>": {
        "timestamp_ms": LATER_MS,
        "status": "OK",
        "request_metadata": [{"key": "e", "value": "f"}],
        "tags": [],
    },
    "GET 2.0/mlflow/traces": {"experiment_ids": ["$experiment_id"], "max_results": 5},
    "POST 3.0/mlflow/traces": {
        "trace": {
            "trace_info": {
                "trace_id": "tr-feed000000000000000000000000000$set",
                "trace_location": EXPERIMENT_LOCATION,
                "request_time": "2023-11-14T22:14:20Z",
                "execution_duration": "0.250s",
                "state": "ERROR",
                "trace_metadata": {"mlflow.trace.session": "s1"},
                "tags": {"mlflow.traceName": "second"},
            }
        }
    },
    "GET 3.0/mlflow/traces/get": {"trace_id": "tr-$otel_trace"},
    "GET 3.0/mlflow/traces/batchGet": {"trace_ids": ["tr-$otel_trace"]},
    "POST 3.0/mlflow/traces/batchGetInfos": {"trace_ids": ["$trace_id", "tr-$otel_trace"]},
    "POST 3.0/mlflow/traces/search": {
        "locations": [EXPERIMENT_LOCATION],
        "filter": "trace.status = 'OK'",
        "order_by": ["timestamp_ms DESC"],
        "max_results": 3,
    },
    "POST 3.0/mlflow/traces/calculate-filter-correlation": {
        "experiment_ids": ["$experiment_id"],
        "filter_string1": "trace.status = 'OK'",
        "filter_string2": "tags.colour = 'blue'",
    },
    "POST 3.0/mlflow/traces/metrics": {
        "experiment_ids": ["$experiment_id"],
        "view_type": "TRACES",
        "metric_name": "trace_count",
        "aggregations": [{"aggregation_type": "COUNT"}],
    },
    "POST 2.0/mlflow/traces/link-to-run": {"trace_ids": ["$trace_id"], "run_id": "$run_id"},
    "POST 2.0/mlflow/traces/link-prompts": {
        "trace_id": "$trace_id",
        "prompt_versions": [{"name": "prompt-$set", "version": "1"}],
    },
    "POST 2.0/mlflow/traces/delete-traces": {"experiment_id": "$experiment_id", "request_ids": ["$trace_id"]},
    "POST 3.0/mlflow/traces/delete-traces": {
        "experiment_id": "$experiment_id",
        "request_ids": ["$other_trace_id"],
    },
    "DELETE 3.0/mlflow/traces/<trace_id>/tags": {"key": "colour"},
    "GET 2.0/mlflow/get-trace-artifact": {"request_id": "tr-$otel_trace"},
    "GET 3.0/mlflow/get-trace-artifact": {"request_id": "tr-$otel_trace"},
    "POST 3.0/mlflow/traces/<trace_id>/assessments": {
        "assessment": {
            "assessment_name": "expected",
            "trace_id": "$trace_id",
            "source": {"source_type": "CODE", "source_id": "c"},
            "expectation": {"value": 3},
            "metadata": {"a": "b"},
        }
    },
    "PATCH 3.0/mlflow/traces/<trace_id>/assessments/<assessment_id>": {
        "assessment": {
            "assessment_id": "$assessment_id",
            "trace_id": "$trace_id",
            "feedback": {"value": False},
            "rationale": "because",
        },
        "update_mask": "feedback,rationale",
    },
}

EVALUATION: Mapping[str, object] = {
    "POST 3.0/mlflow/datasets/create": {"name": "new dataset $set", "experiment_ids": ["$experiment_id"]},
    "GET 3.0/mlflow/datasets/search": {"experiment_ids": ["$experiment_id"], "max_results": 5},
    "POST 3.0/mlflow/datasets/search": {"experiment_ids": ["$experiment_id"], "max_results": 5},
    "POST 3.0/mlflow/datasets/<dataset_id>/add-experiments": {"experiment_ids": ["$spare_experiment_id"]},
    "POST 3.0/mlflow/datasets/<dataset_id>/remove-experiments": {"experiment_ids": ["$spare_experiment_id"]},
    "POST 3.0/mlflow/datasets/<dataset_id>/records": {
        "records": (
            '[{"inputs": {"q": "2"}, "outputs": {"a": "4"}}, {"inputs": {"q": "1"}, "tags": {"k": "w"}}]'
        )
    },
    "PATCH 3.0/mlflow/datasets/<dataset_id>/tags": {"tags": '{"tag": "2", "more": "3"}'},
    "DELETE 3.0/mlflow/datasets/<dataset_id>/records": {"dataset_record_ids": ["absent"]},
    "POST 3.0/mlflow/scorers/register": {
        "experiment_id": "$experiment_id",
        "name": "judge",
        "serialized_scorer": SCORER,
    },
    "DELETE 3.0/mlflow/scorers/delete": {"experiment_id": "$experiment_id", "name": "judge", "version": 2},
    "GET 3.0/mlflow/scorers/list": {"experiment_id": "$experiment_id"},
    "PUT 3.0/mlflow/scorers/online-config": {
        "experiment_id": "$experiment_id",
        "name": "judge",
        "sample_rate": 0.5,
        "filter_string": "trace.status = 'OK'",
    },
    "GET 3.0/mlflow/scorers/online-configs": {"scorer_ids": ["$scorer_id"]},
    "POST 3.0/mlflow/scorer/invoke": JUDGE,
    "POST 3.0/mlflow/genai/evaluate/invoke": {
        "experiment_id": "$experiment_id",
        "trace_ids": ["$trace_id"],
        "serialized_scorers": [SCORER],
    },
    "POST 3.0/mlflow/issues": {
        "experiment_id": "$experiment_id",
        "name": "wrong",
        "description": "It is wrong",
        "root_causes": ["cause"],
        "categories": ["correctness"],
    },
    "POST 3.0/mlflow/issues/search": {"experiment_id": "$experiment_id", "include_trace_count": True},
    "PATCH 3.0/mlflow/issues/<issue_id>": {"issue_id": "$issue_id", "status": "resolved"},
    "POST 3.0/mlflow/issues/invoke": {
        "experiment_id": "$experiment_id",
        "trace_ids": ["$trace_id"],
        "categories": ["correctness"],
        "provider": "openai",
        "model": "gpt",
        "secret_id": "$secret_id",
    },
    "POST 3.0/mlflow/label-schemas/create": {
        "experiment_id": "$experiment_id",
        "name": "score",
        "type": "FEEDBACK",
        "input": {"numeric": {"min_value": 0, "max_value": 5}},
    },
    "PATCH 3.0/mlflow/label-schemas/update": {"schema_id": "$schema_id", "instruction": "Look closely"},
    "POST 3.0/mlflow/review-queues/create": {
        "experiment_id": "$experiment_id",
        "name": "new queue",
        "queue_type": "CUSTOM",
    },
    "POST 3.0/mlflow/review-queues/get-or-create-user": {"experiment_id": "$experiment_id", "user": "ben"},
    "POST 3.0/mlflow/review-queues/update": {"queue_id": "$queue_id", "name": "renamed queue"},
    "POST 3.0/mlflow/review-queues/items/set-status": {
        "queue_id": "$queue_id",
        "item_id": "$trace_id",
        "status": "COMPLETE",
        "completed_by": "ann",
    },
    "POST 3.0/mlflow/prompt-optimization/jobs": {
        "experiment_id": "$experiment_id",
        "source_prompt_uri": "prompts:/prompt-$set/1",
        "config": {"optimizer_type": "OPTIMIZER_TYPE_METAPROMPT", "optimizer_config_json": "{}"},
    },
    "POST 3.0/mlflow/demo/generate": {"features": []},
    "POST 3.0/mlflow/workspaces": {"name": "team-new"},
}

GATEWAY: Mapping[str, object] = {
    "GET 3.0/mlflow/gateway/supported-models": {"provider": "openai"},
    "GET 3.0/mlflow/gateway/provider-config": {"provider": "openai"},
    "GET 3.0/mlflow/gateway/secrets/list": {"provider": "openai"},
    "POST 3.0/mlflow/gateway/secrets/create": {
        "secret_name": "new-secret-$set",
        "secret_value": {"api_key": "sk-87654321"},
        "provider": "openai",
    },
    "POST 3.0/mlflow/gateway/secrets/update": {
        "secret_id": "$secret_id",
        "secret_value": {"api_key": "sk-changed1"},
    },
    "POST 3.0/mlflow/gateway/model-definitions/create": {
        "name": "new-definition-$set",
        "secret_id": "$secret_id",
        "provider": "openai",
        "model_name": "gpt-2",
    },
    "POST 3.0/mlflow/gateway/model-definitions/update": {
        "model_definition_id": "$model_definition_id",
        "model_name": "gpt-3",
    },
    "DELETE 3.0/mlflow/gateway/model-definitions/delete": {
        "model_definition_id": "$spare_model_definition_id"
    },
    "GET 3.0/mlflow/gateway/model-definitions/list": {},
    "GET 3.0/mlflow/gateway/endpoints/list": {},
    "GET 3.0/mlflow/gateway/endpoints/get": {"endpoint_id": "$endpoint_id"},
    "POST 3.0/mlflow/gateway/endpoints/create": {
        "name": "new-endpoint-$set",
        "model_configs": [{**MODEL_CONFIG, "linkage_type": "PRIMARY"}],
        "usage_tracking": False,
    },
    "POST 3.0/mlflow/gateway/endpoints/update": {
        "endpoint_id": "$endpoint_id",
        "name": "renamed-endpoint-$set",
    },
    "POST 3.0/mlflow/gateway/endpoints/models/attach": {
        "endpoint_id": "$endpoint_id",
        "model_config": MODEL_CONFIG,
    },
    "POST 3.0/mlflow/gateway/endpoints/bindings/create": {
        "endpoint_id": "$endpoint_id",
        "resource_type": "scorer",
        "resource_id": "$scorer_id",
    },
    "GET 3.0/mlflow/gateway/endpoints/bindings/list": {"endpoint_id": "$endpoint_id"},
    "DELETE 3.0/mlflow/gateway/endpoints/bindings/delete": {
        "endpoint_id": "$endpoint_id",
        "resource_type": "scorer",
        "resource_id": "$scorer_id",
    },
    "POST 3.0/mlflow/gateway/budgets/create": BUDGET,
    "POST 3.0/mlflow/gateway/budgets/update": {
        "budget_policy_id": "$budget_policy_id",
        "budget_amount": 30.0,
    },
    "POST 3.0/mlflow/gateway/guardrails/create": {
        "name": "new-guard-$set",
        "scorer_id": "$scorer_id",
        "scorer_version": 1,
        "stage": "AFTER",
        "action": "VALIDATION",
    },
    "POST 3.0/mlflow/gateway/guardrails/add-to-endpoint": {
        "endpoint_id": "$endpoint_id",
        "guardrail_id": "$guardrail_id",
        "execution_order": 1,
    },
    "PATCH 3.0/mlflow/gateway/guardrails/update-config": {
        "endpoint_id": "$endpoint_id",
        "guardrail_id": "$guardrail_id",
        "execution_order": 2,
    },
}
