"""What the job runner is started for: work that is there when the server starts, and online scoring saved later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.entities.gateway_endpoint import GatewayEndpointModelConfig, GatewayModelLinkageType
from mlflow.server import handlers
from mlflow.server.constants import HUEY_STORAGE_PATH_ENV_VAR
from mlflow.store.jobs.sqlalchemy_store import SqlAlchemyJobStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from mlflow_accel.server import jobs, launch

ROLLUPS = "MLFLOW_SQL_TRACE_ROLLUPS_ENABLED"
ARCHIVAL = "MLFLOW_TRACE_ARCHIVAL_CONFIG"


def launched(monkeypatch: pytest.MonkeyPatch, **env: str) -> None:
    """Make this process a server's that was started with ``env``."""
    monkeypatch.setattr(launch, "_launch", launch.Launch(env=env, params={}, command=()))
    monkeypatch.setattr(jobs, "_work_at_start", None)


@pytest.fixture
def store(sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlAlchemyStore]:
    """The store of a server that has just started, and runs jobs."""
    for variable in (ROLLUPS, ARCHIVAL):
        monkeypatch.delenv(variable, raising=False)
    launched(monkeypatch, **{HUEY_STORAGE_PATH_ENV_VAR: str(tmp_path)})
    made = SqlAlchemyStore(sqlite_uri, "mlflow-artifacts:/")
    monkeypatch.setattr(handlers, "_get_tracking_store", lambda: made)
    yield made
    made.engine.dispose()


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count how often a runner was asked for; none is started."""
    asked: list[None] = []
    monkeypatch.setattr(jobs, "start_runner", lambda: asked.append(None))
    return lambda: len(asked)


def add_scorer(store: SqlAlchemyStore) -> None:
    """Register a scorer ``judge`` in experiment 0 whose model is an endpoint of the gateway."""
    secret = store.create_gateway_secret("key", {"api_key": "sk-12345678"}, provider="openai")
    model = store.create_gateway_model_definition("model", secret.secret_id, "openai", "gpt")
    config = GatewayEndpointModelConfig(model.model_definition_id, GatewayModelLinkageType.PRIMARY)
    store.create_gateway_endpoint("talk", [config], usage_tracking=False)
    judge = {"instructions_judge_pydantic_data": {"model": "gateway:/talk", "instructions": "{{ outputs }}"}}
    store.register_scorer("0", "judge", json.dumps(judge))


def test_nothing_is_started_for_a_database_without_work(
    store: SqlAlchemyStore, starts: Callable[[], int]
) -> None:
    jobs.start_runner_if_needed()
    assert starts() == 0


@pytest.mark.parametrize(("status", "found"), [("pending", True), ("running", True), ("done", False)])
def test_an_unfinished_job_is_work(store: SqlAlchemyStore, sqlite_uri: str, status: str, found: bool) -> None:
    of_jobs = SqlAlchemyJobStore(sqlite_uri)
    job_id = of_jobs.create_job("invoke_scorer", "{}").job_id
    if status != "pending":
        of_jobs.start_job(job_id)
    if status == "done":
        of_jobs.finish_job(job_id, "1")
    of_jobs.engine.dispose()
    assert jobs.look_for_work() is found


@pytest.mark.parametrize("enabled", [True, False])
def test_rollups_are_work(
    store: SqlAlchemyStore, starts: Callable[[], int], monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    monkeypatch.setenv(ROLLUPS, str(enabled).lower())
    jobs.start_runner_if_needed()
    assert starts() == enabled


@pytest.mark.parametrize("enabled", [True, False])
def test_archival_is_work(
    store: SqlAlchemyStore,
    starts: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    enabled: bool,
) -> None:
    config = {"enabled": enabled, "location": (tmp_path / "archive").as_uri(), "retention": "30d"}
    (tmp_path / "archival.yaml").write_text(json.dumps({"trace_archival": config}))
    monkeypatch.setenv(ARCHIVAL, str(tmp_path / "archival.yaml"))
    jobs.start_runner_if_needed()
    assert starts() == enabled


def test_nothing_is_work_where_upstream_runs_no_jobs(
    store: SqlAlchemyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROLLUPS, "true")
    launched(monkeypatch)
    assert not jobs.look_for_work()


def test_online_scoring_wakes_the_runner_where_it_samples(
    store: SqlAlchemyStore, starts: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_scorer(store)
    upsert = jobs.upsert_online_scoring_config(SqlAlchemyStore.upsert_online_scoring_config)
    assert upsert(store, "0", "judge", sample_rate=0.0).sample_rate == 0.0
    assert (starts(), jobs.look_for_work()) == (0, False)
    assert upsert(store, "0", "judge", sample_rate=0.5).sample_rate == 0.5
    assert starts() == 1
    # And it is work for the server's next start.
    monkeypatch.setattr(jobs, "_work_at_start", None)
    assert jobs.look_for_work()
