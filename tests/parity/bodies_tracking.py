"""What plausible requests to the tracking and registry routes carry, by the route's key."""

from __future__ import annotations

from collections.abc import Mapping

from tests.parity.templates import LATER_MS

GRAPHQL = """
query Read($$id: String!) {
  mlflowGetRun(input: {runId: $$id}) {
    apiError { code message }
    run {
      info { runId runName status }
      experiment { name }
      data { metrics { key value step } params { key value } }
    }
  }
}
"""

TRACKING: Mapping[str, object] = {
    "GET 2.0/mlflow/experiments/get-by-name": {"experiment_name": "experiment $set"},
    "GET 2.0/mlflow/experiments/search": {
        "max_results": 3,
        "filter": "name LIKE 'exp%'",
        "order_by": ["name ASC"],
    },
    "POST 2.0/mlflow/experiments/search": {"max_results": 2, "view_type": "ALL", "order_by": ["name DESC"]},
    "POST 2.0/mlflow/experiments/create": {"name": "new $set", "tags": [{"key": "a", "value": "b"}]},
    "POST 2.0/mlflow/experiments/update": {
        "experiment_id": "$spare_experiment_id",
        "new_name": "renamed $set",
    },
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
    "POST 2.0/mlflow/runs/outputs": {
        "run_id": "$other_run_id",
        "models": [{"model_id": "$model_id", "step": 3}],
    },
    "POST 2.0/mlflow/runs/log-model": {
        "run_id": "$run_id",
        "model_json": (
            '{"artifact_path": "m", "flavors": {}, "run_id": "$run_id", '
            '"utc_time_created": "2023-11-14 22:13:20"}'
        ),
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
    "POST 2.0/mlflow-artifacts/mpu/complete/<path:artifact_path>": {
        "path": "a",
        "upload_id": "u",
        "parts": [],
    },
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
    "GET /graphql": {"query": '{ test(inputString: "echo") { output } }'},
    "POST /graphql": {"query": GRAPHQL, "variables": {"id": "$run_id"}, "operationName": "Read"},
}

REGISTRY: Mapping[str, object] = {
    "POST 2.0/mlflow/registered-models/create": {"name": "new model $set", "description": "d"},
    "POST 2.0/mlflow/registered-models/rename": {
        "name": "spare-model-$set",
        "new_name": "renamed-model-$set",
    },
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
