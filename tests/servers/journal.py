"""What a user logs with the mlflow client, and all that the client reads back of it."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.environment_variables import MLFLOW_EXPERIMENT_ID
from mlflow.tracking import fluent
from sklearn.linear_model import LogisticRegression

from tests.support.processes import RunningServer

TEXT = "eine Notiz, größer als nötig\n"
TABLE = {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}
TEMPLATE = "Answer {{ question }} in {{ language }}."
LARGE = bytes(range(256)) * 8192
LOSSES = [0.5, math.nan, 0.25, math.inf, -math.inf]

Snapshot = dict[str, Any]


@contextmanager
def client_of(server: RunningServer) -> Iterator[MlflowClient]:
    """Point the mlflow client of this process to ``server``; afterwards only its connections stay."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{server.port}")
    try:
        yield MlflowClient()
    finally:
        mlflow.set_tracking_uri(before)
        # Set by set_experiment, for the whole process.
        fluent._active_experiment_id = None
        MLFLOW_EXPERIMENT_ID.unset()


TRAINING_WARNINGS = (
    # mlflow scores with an argument that scikit-learn has renamed.
    "ignore:`y_pred` was renamed to `y_proba`:FutureWarning",
    # mlflow says so of the type hints of its own wrapper around a scikit-learn model.
    r"ignore:[\s\S]*Any type hint is inferred as AnyType:UserWarning",
)
"""Filters for what mlflow and scikit-learn warn each other of in :func:`train`."""


@dataclass(frozen=True)
class Journal:
    """What was logged: ids, and names that begin with the journal's own."""

    name: str
    experiment_id: str
    parent: str
    child: str
    failed: str
    trained: str

    @property
    def model(self) -> str:
        """The name of the registered model."""
        return f"{self.name}-model"

    @property
    def prompt(self) -> str:
        """The name of the prompt."""
        return f"{self.name}-prompt"


def train() -> str:
    """Fit and score a classifier with autologging, and return the run's id."""
    mlflow.sklearn.autolog(log_datasets=True)
    try:
        with mlflow.start_run(run_name="trained") as run:
            features = np.array([[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.8, 0.1]] * 5)
            classes = np.array([0, 1, 0, 1] * 5)
            LogisticRegression(max_iter=50).fit(features, classes).score(features, classes)
    finally:
        mlflow.sklearn.autolog(disable=True)
    return str(run.info.run_id)


def log(client: MlflowClient, name: str, scratch: Path) -> Journal:
    """Log an experiment of every kind of thing, under names that begin with ``name``."""
    experiment = mlflow.set_experiment(f"{name}-experiment")
    mlflow.set_experiment_tags({"team": "tests", "größe": "zwölf"})
    with mlflow.start_run(run_name="parent", description="two runs, one in the other") as parent:
        for step, loss in enumerate(LOSSES):
            mlflow.log_metric("loss", loss, step=step, timestamp=1_700_000_000_000 + step)
        mlflow.log_metrics({"acc": 0.75, "val/acc": 1}, step=-3)
        mlflow.log_param("rate", 0.1)
        mlflow.log_params({"depth": 3, "optimiser": "Adam" * 100, "schlüssel": "wert"})
        mlflow.set_tag("kind", "outer")
        mlflow.set_tags({"owner": "ä", "release": "1.0"})
        mlflow.log_text(TEXT, "notes/note.txt")
        mlflow.log_dict(TABLE, "table.json")
        large = scratch / "large.bin"
        large.write_bytes(LARGE)
        mlflow.log_artifact(str(large), "binaries")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("loss", 1e-300)
    failed = client.create_run(experiment.experiment_id, run_name="failed")
    client.set_terminated(failed.info.run_id, "FAILED", end_time=1_700_000_000_500)
    client.delete_run(failed.info.run_id)
    trained = train()
    journal = Journal(
        name, experiment.experiment_id, parent.info.run_id, child.info.run_id, failed.info.run_id, trained
    )
    for _ in range(2):
        version = mlflow.register_model(f"runs:/{trained}/model", journal.model)
    client.set_registered_model_alias(journal.model, "champion", version.version)
    client.set_model_version_tag(journal.model, "1", "checked", "yes")
    client.update_registered_model(journal.model, description="a classifier")
    for template in (TEMPLATE, TEMPLATE.upper()):
        mlflow.genai.register_prompt(journal.prompt, template, commit_message="first words")
    mlflow.genai.set_prompt_alias(journal.prompt, "live", 2)
    return journal


FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "by name": {"filter_string": "attributes.run_name = 'child'"},
    "by metric": {"filter_string": "metrics.acc > 0.5"},
    "by param": {"filter_string": "params.depth = '3'"},
    "by tag": {"filter_string": "tags.owner = 'ä' AND attributes.status = 'FINISHED'"},
    "deleted": {"run_view_type": ViewType.DELETED_ONLY},
    "ordered": {"order_by": ["metrics.loss DESC", "attributes.start_time ASC"]},
    "one": {"max_results": 1, "order_by": ["attributes.run_name ASC"]},
}


def read(client: MlflowClient, journal: Journal, scratch: Path) -> Snapshot:
    """Return all that the client says of ``journal``; numbers are texts, so that NaN equals NaN."""
    experiment = journal.experiment_id
    runs = client.search_runs([experiment], run_view_type=ViewType.ALL)
    searched = {name: client.search_runs([experiment], **arguments) for name, arguments in FILTERS.items()}
    versions = client.search_model_versions(f"name = '{journal.model}'")
    prompts = (f"prompts:/{journal.prompt}/1", f"prompts:/{journal.prompt}@live")
    return {
        "experiment": dict(client.get_experiment(experiment)),
        "experiments": [e.name for e in client.search_experiments() if e.name.startswith(journal.name)],
        "runs": {run.info.run_id: _plain(client.get_run(run.info.run_id).to_dictionary()) for run in runs},
        "searched": {name: [_plain(r.to_dictionary()) for r in found] for name, found in searched.items()},
        "histories": {run.info.run_id: _histories(client, run) for run in runs},
        "artifacts": {run.info.run_id: _artifacts(client, run.info.run_id, scratch) for run in runs},
        "registered model": _plain(dict(client.get_registered_model(journal.model))),
        "model versions": [_plain(dict(version)) for version in versions],
        "champion": client.get_model_version_by_alias(journal.model, "champion").version,
        "logged models": [_plain(m.to_dictionary()) for m in client.search_logged_models([experiment])],
        "prediction": _prediction(journal),
        "prompts": {uri: mlflow.genai.load_prompt(uri, cache_ttl_seconds=0).template for uri in prompts},
        "prompt names": [p.name for p in client.search_prompts() if p.name.startswith(journal.name)],
    }


def _histories(client: MlflowClient, run: Run) -> dict[str, list[tuple[str, int, int]]]:
    """Return value, timestamp (ms since the epoch) and step of each metric that was logged to ``run``."""
    return {
        key: [(repr(m.value), m.timestamp, m.step) for m in client.get_metric_history(run.info.run_id, key)]
        for key in sorted(run.data.metrics)
    }


def _plain(value: Any) -> Any:
    """Return ``value`` with floats as texts and entities as dictionaries, comparable with ``==``."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | type(None)) else _plain(dict(vars(value)))


def digest(content: bytes) -> str:
    """Return what stands for a file's content in a snapshot."""
    return hashlib.sha256(content).hexdigest()


def _artifacts(client: MlflowClient, run_id: str, scratch: Path) -> dict[str, str]:
    """Download the run's files and return the digest of each by its path."""
    if not client.list_artifacts(run_id):
        return {}
    root = Path(client.download_artifacts(run_id, "", tempfile.mkdtemp(dir=scratch)))
    return {str(p.relative_to(root)): digest(p.read_bytes()) for p in sorted(root.rglob("*")) if p.is_file()}


def _prediction(journal: Journal) -> list[int]:
    """Load the registered model through the server and ask it."""
    model = mlflow.sklearn.load_model(f"models:/{journal.model}@champion")
    return [int(c) for c in model.predict(np.array([[0.0, 1.0], [1.0, 0.0]]))]
