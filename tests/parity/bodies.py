"""What plausible requests carry. ``$name`` stands for what was seeded; see ``seed.py`` for the names."""

from __future__ import annotations

from collections.abc import Mapping

from tests.parity.seed import SCORER, START_MS

LATER_MS = START_MS + 60_000

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
}
"""What the field ``name`` holds, by the area of the route."""

NEW_FILE = "$experiment_id/$run_id/artifacts/notes/new.txt"

PATHS: Mapping[str, Mapping[str, object]] = {
    "PUT 2.0/mlflow-artifacts/artifacts/<path:artifact_path>": {"artifact_path": NEW_FILE},
    "DELETE 2.0/mlflow-artifacts/artifacts/<path:artifact_path>": {"artifact_path": NEW_FILE},
    "GET /static-files/<path:path>": {"path": "index.html"},
    "GET 2.0/mlflow/traces/<request_id>/info": {"request_id": "$old_trace_id"},
    "PATCH 2.0/mlflow/traces/<request_id>": {"request_id": "$old_trace_id"},
}
"""Path parameters that differ from ``VALUES``."""

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
GRAPHQL = """
query Read($$id: String!) {
  mlflowGetRun(input: {runId: $$id}) {
    apiError { code message }
    run { info { runId runName status } experiment { name } data { metrics { key value step } params { key value } } }
  }
}
"""

QUERIES: Mapping[str, Mapping[str, str]] = {
    "POST 2.0/mlflow/upload-artifact": {"run_uuid": "$run_id", "path": "notes/uploaded.txt"},
}
"""The query of a route that takes a body too."""

TRACKING: Mapping[str, object] = {
    "GET 2.0/mlflow/experiments/get-by-name": {"experiment_name": "experiment $set"},
    "GET 2.0/mlflow/experiments/search": {"max_results": 3, "filter": "name LIKE 'exp%'", "order_by": ["name ASC"]},
    "POST 2.0/mlflow/experiments/search": {"max_results": 2, "view_type": "ALL", "order_by": ["name DESC"]},
    "POST 2.0/mlflow/experiments/create": {"name": "new $set", "tags": [{"key": "a", "value": "b"}]},
    "POST 2.0/mlflow/experiments/update": {"experiment_id": "$spare_experiment_id", "new_name": "renamed $set"},
    "POST 2.0/mlflow/experiments/delete": {"experiment_id": "$spare_experiment_id"},
    "POST 2.0/mlflow/experiments/restore": {"experiment_id": "$spare_experiment_id"},
    "POST 2.0/mlflow/experiments/delete-experiment-tag": {"experiment_id": "$experiment_id", "key": "team"},
    "POST 2.0/mlflow/experiments/search-datasets": {"experiment_ids": ["$experiment_id"]},
    "POST 2.0/mlflow/runs/create": {
        "experiment_id": "$experiment_id",
        "user_id": "someone",
        "start_time": LATER_MS,
        "tags": [{"key": "mlflow.user", "value": "someone"}, {"key": "ключ", "value": "значение"}],
    },
    "POST 2.0/mlflow/runs/update": {
        "run_id": "$run_id",
        "status": "FINISHED",
        "end_time": LATER_MS,
        "run_name": "renamed",
    },
    "POST 2.0/mlflow/runs/delete": {"run_id": "$other_run_id"},
    "POST 2.0/mlflow/runs/restore": {"run_id": "$other_run_id"},
    "POST 2.0/mlflow/runs/delete-tag": {"run_id": "$run_id", "key": "stage"},
    "POST 2.0/mlflow/runs/log-metric": {
        "run_id": "$run_id",
        "run_uuid": "$run_id",
        "key": "loss",
        "value": 0.05,
        "timestamp": LATER_MS,
        "step": 6,
    },
    "POST 2.0/mlflow/runs/log-parameter": {"run_id": "$run_id", "key": "new", "value": "1"},
    "POST 2.0/mlflow/runs/log-batch": {
        "run_id": "$run_id",
        "metrics": [
            {"key": "loss", "value": 0.01, "timestamp": LATER_MS, "step": 7},
            {"key": "model", "value": 0.5, "timestamp": LATER_MS, "step": 0, "model_id": "$model_id"},
        ],
        "params": [{"key": "lr", "value": "0.1"}, {"key": "batch", "value": "32"}],
        "tags": [{"key": "stage", "value": "changed"}],
    },
    "POST 2.0/mlflow/runs/log-inputs": {
        "run_id": "$other_run_id",
        "datasets": [
            {"tags": [], "dataset": {"name": "wine", "digest": "d2", "source_type": "local", "source": "{}"}}
        ],
        "models": [{"model_id": "$model_id"}],
    },
    "POST 2.0/mlflow/runs/outputs": {"run_id": "$other_run_id", "models": [{"model_id": "$model_id", "step": 3}]},
    "POST 2.0/mlflow/runs/log-model": {
        "run_id": "$run_id",
        "model_json": '{"artifact_path": "m", "flavors": {}, "utc_time_created": "2023-11-14 22:13:20", "run_id": "$run_id"}',
    },
    "POST 2.0/mlflow/runs/search": {
        "experiment_ids": ["$experiment_id"],
        "filter": "metrics.loss < 1 and params.lr = '0.1'",
        "order_by": ["metrics.loss ASC"],
        "max_results": 5,
    },
    "POST 2.0/mlflow/runs/create-promptlab-run": {
        "experiment_id": "$experiment_id",
        "run_name": "lab",
        "prompt_template": "Say {{ word }}",
        "prompt_parameters": [{"key": "word", "value": "hello"}],
        "model_route": "route",
        "model_parameters": [{"key": "temperature", "value": "0"}],
        "model_input": "Say hello",
        "model_output": "hello",
        "mlflow_version": "3.17.2",
        "start_time": LATER_MS,
    },
    "GET 2.0/mlflow/metrics/get-history": {"run_id": "$run_id", "metric_key": "loss", "max_results": 2},
    "GET 2.0/mlflow/metrics/get-history-bulk": {"run_id": ["$run_id", "$other_run_id"], "metric_key": "loss"},
    "GET 2.0/mlflow/metrics/get-history-bulk-interval": {
        "run_ids": ["$run_id"],
        "metric_key": "loss",
        "start_step": 1,
        "end_step": 3,
        "max_results": 2,
    },
    "POST 2.0/mlflow/artifacts/presigned-upload-url": {"run_id": "$run_id", "path": "new.txt"},
    "POST 2.0/mlflow/upload-artifact": "uploaded text\n",
    "GET 2.0/mlflow-artifacts/artifacts": {"path": "$experiment_id/$run_id/artifacts"},
    "PUT 2.0/mlflow-artifacts/artifacts/<path:artifact_path>": "new text\n",
    "POST 2.0/mlflow-artifacts/mpu/create/<path:artifact_path>": {"path": "a", "num_parts": 2},
    "POST 2.0/mlflow-artifacts/mpu/complete/<path:artifact_path>": {"path": "a", "upload_id": "u", "parts": []},
    "POST 2.0/mlflow-artifacts/mpu/abort/<path:artifact_path>": {"path": "a", "upload_id": "u"},
    "GET /get-artifact": {"run_uuid": "$run_id", "path": "notes/a.txt"},
    "GET /model-versions/get-artifact": {"name": "$model", "version": "1", "path": "a.txt"},
    "GET 2.0/mlflow/logged-models/<model_id>/artifacts/files": {"artifact_file_path": "MLmodel"},
    "PATCH 2.0/mlflow/logged-models/<model_id>": {"model_id": "$model_id", "status": "LOGGED_MODEL_READY"},
    "POST 2.0/mlflow/logged-models/search": {
        "experiment_ids": ["$experiment_id"],
        "filter": "name = 'net'",
        "order_by": [{"field_name": "name", "ascending": True}],
        "max_results": 5,
    },
    "POST 2.0/mlflow/logged-models/<model_id>/params": {
        "model_id": "$model_id",
        "params": [{"key": "added", "value": "1"}],
    },
    "GET /graphql": {"query": "{ test(inputString: \"echo\") { output } }"},
    "POST /graphql": {"query": GRAPHQL, "variables": {"id": "$run_id"}, "operationName": "Read"},
}

REGISTRY: Mapping[str, object] = {
    "POST 2.0/mlflow/registered-models/create": {"name": "new model $set", "description": "d"},
    "POST 2.0/mlflow/registered-models/rename": {"name": "spare-model-$set", "new_name": "renamed-model-$set"},
    "GET 2.0/mlflow/registered-models/search": {"filter": "name LIKE 'model%'", "max_results": 5},
    "GET 2.0/mlflow/registered-models/get-latest-versions": {"name": "$model"},
    "GET 2.0/mlflow/model-versions/search": {"filter": "name = '$model'", "max_results": 5},
    "POST 2.0/mlflow/model-versions/create": {
        "name": "$model",
        "source": "mlflow-artifacts:/$experiment_id/$run_id/artifacts/notes",
        "run_id": "$run_id",
        "description": "third",
    },
    "POST 2.0/mlflow/model-versions/transition-stage": {
        "name": "$model",
        "version": "1",
        "stage": "Staging",
        "archive_existing_versions": True,
    },
    "DELETE 2.0/mlflow/model-versions/delete": {"name": "$model", "version": "2"},
    "POST 2.0/mlflow/registered-models/alias": {"name": "$model", "alias": "second", "version": "2"},
    "POST 2.0/mlflow/webhooks": {
        "name": "new-hook",
        "url": "https://127.0.0.1:9/new",
        "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}],
        "status": "DISABLED",
    },
    "PATCH 2.0/mlflow/webhooks/<webhook_id>": {"description": "another"},
    "POST 2.0/mlflow/webhooks/<webhook_id>/test": {},
}

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
    "POST 3.0/mlflow/traces/delete-traces": {"experiment_id": "$experiment_id", "request_ids": ["$other_trace_id"]},
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
        "records": '[{"inputs": {"q": "2"}, "outputs": {"a": "4"}}, {"inputs": {"q": "1"}, "tags": {"k": "w"}}]'
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
    "POST 3.0/mlflow/gateway/secrets/update": {"secret_id": "$secret_id", "secret_value": {"api_key": "sk-changed1"}},
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
    "DELETE 3.0/mlflow/gateway/model-definitions/delete": {"model_definition_id": "$spare_model_definition_id"},
    "GET 3.0/mlflow/gateway/model-definitions/list": {},
    "GET 3.0/mlflow/gateway/endpoints/list": {},
    "GET 3.0/mlflow/gateway/endpoints/get": {"endpoint_id": "$endpoint_id"},
    "POST 3.0/mlflow/gateway/endpoints/create": {
        "name": "new-endpoint-$set",
        "model_configs": [{**MODEL_CONFIG, "linkage_type": "PRIMARY"}],
        "usage_tracking": False,
    },
    "POST 3.0/mlflow/gateway/endpoints/update": {"endpoint_id": "$endpoint_id", "name": "renamed-endpoint-$set"},
    "POST 3.0/mlflow/gateway/endpoints/models/attach": {"endpoint_id": "$endpoint_id", "model_config": MODEL_CONFIG},
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
    "POST 3.0/mlflow/gateway/budgets/update": {"budget_policy_id": "$budget_policy_id", "budget_amount": 30.0},
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

BODIES: Mapping[str, object] = {**TRACKING, **REGISTRY, **TRACES, **EVALUATION, **GATEWAY}
"""The query of a GET, the JSON of everything else, or text that is sent as it stands; by the route's key."""
