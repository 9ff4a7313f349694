"""The mlflow client against our server, and the same database and artifacts under upstream's server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.servers import journal
from tests.servers.journal import Journal, Snapshot, client_of
from tests.support.databases import Databases
from tests.support.servers import UPSTREAM, ServerFactory, ours_command

pytestmark = [pytest.mark.filterwarnings(text) for text in journal.TRAINING_WARNINGS]

NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Upstream's server starts seven processes for jobs, of which there are none here."""

MAX = 1.7976931348623157e308
"""What the database holds for an infinity."""


@dataclass(frozen=True)
class Crossing:
    """A journal, and what the client read of it: from the server that it went through, and from the other."""

    journal: Journal
    at_writer: Snapshot
    at_reader: Snapshot


@pytest.fixture(scope="module")
def crossings(databases: Databases, new_directory: Callable[[], Path]) -> dict[str, Crossing]:
    """Log through ours, then through upstream's, then go back to ours: same database, same artifacts."""
    scratch = new_directory()
    options = ("--backend-store-uri", databases.fresh(), "--artifacts-destination", str(new_directory()))

    @contextmanager
    def client_at(command: Sequence[str]) -> Iterator[MlflowClient]:
        with ServerFactory(command, new_directory) as start:
            with client_of(start("--workers", "2", *options, env=NO_JOBS)) as client:
                yield client

    with client_at(ours_command()) as client:
        first = journal.log(client, "first", scratch)
        first_at_ours = journal.read(client, first, scratch)
    with client_at(UPSTREAM) as client:
        first_at_upstream = journal.read(client, first, scratch)
        second = journal.log(client, "second", scratch)
        second_at_upstream = journal.read(client, second, scratch)
    with client_at(ours_command()) as client:
        second_at_ours = journal.read(client, second, scratch)
        assert journal.read(client, first, scratch) == first_at_ours
    return {
        "ours to upstream": Crossing(first, first_at_ours, first_at_upstream),
        "upstream to ours": Crossing(second, second_at_upstream, second_at_ours),
    }


@pytest.fixture(params=["ours to upstream", "upstream to ours"])
def crossing(crossings: dict[str, Crossing], request: pytest.FixtureRequest) -> Crossing:
    """Each direction in turn."""
    return crossings[request.param]


def test_both_servers_say_the_same(crossing: Crossing) -> None:
    assert crossing.at_reader.keys() == crossing.at_writer.keys()
    for what, found in crossing.at_reader.items():
        assert found == crossing.at_writer[what], what


def test_metric_histories(crossing: Crossing) -> None:
    histories = crossing.at_reader["histories"]
    loss = histories[crossing.journal.parent]["loss"]
    assert loss == [
        ("0.5", 1_700_000_000_000, 0),
        ("nan", 1_700_000_000_001, 1),
        ("0.25", 1_700_000_000_002, 2),
        (repr(MAX), 1_700_000_000_003, 3),
        (repr(-MAX), 1_700_000_000_004, 4),
    ]
    [(value, _, step)] = histories[crossing.journal.parent]["val/acc"]
    assert (value, step) == ("1.0", -3)
    assert [value for value, _, _ in histories[crossing.journal.child]["loss"]] == ["1e-300"]


def test_params_and_tags(crossing: Crossing) -> None:
    parent = crossing.at_reader["runs"][crossing.journal.parent]
    params = {"rate": "0.1", "depth": "3", "optimiser": "Adam" * 100, "schlüssel": "wert"}
    assert parent["data"]["params"] == params
    assert {"kind": "outer", "owner": "ä", "release": "1.0"}.items() <= parent["data"]["tags"].items()
    assert crossing.at_reader["experiment"]["tags"] == {"team": "tests", "größe": "zwölf"}


def test_runs(crossing: Crossing) -> None:
    written, runs = crossing.journal, crossing.at_reader["runs"]
    assert {run_id: (run["info"]["run_name"], run["info"]["status"]) for run_id, run in runs.items()} == {
        written.parent: ("parent", "FINISHED"),
        written.child: ("child", "FINISHED"),
        written.failed: ("failed", "FAILED"),
        written.trained: ("trained", "FINISHED"),
    }
    assert runs[written.child]["data"]["tags"]["mlflow.parentRunId"] == written.parent
    assert runs[written.failed]["info"]["lifecycle_stage"] == "deleted"
    assert runs[written.failed]["info"]["end_time"] == 1_700_000_000_500


def test_autologged_training(crossing: Crossing) -> None:
    trained = crossing.at_reader["runs"][crossing.journal.trained]
    assert {"training_log_loss", "LogisticRegression_score_features"} <= trained["data"]["metrics"].keys()
    assert trained["data"]["params"]["max_iter"] == "50"
    assert [i["tags"] for i in trained["inputs"]["dataset_inputs"]] == [{"mlflow.data.context": "train"}]
    [model] = crossing.at_reader["logged models"]
    assert model["source_run_id"] == crossing.journal.trained
    assert "training_log_loss" in {metric["_key"] for metric in model["metrics"]}
    assert crossing.at_reader["prediction"] == [0, 1]


def test_search(crossing: Crossing) -> None:
    searched = crossing.at_reader["searched"]
    found = {name: [run["info"]["run_name"] for run in runs] for name, runs in searched.items()}
    assert sorted(found.pop("all")) == ["child", "parent", "trained"]
    assert found == {
        "by name": ["child"],
        "by metric": ["parent"],
        "by param": ["parent"],
        "by tag": ["parent"],
        "deleted": ["failed"],
        "ordered": ["child", "parent", "trained"],
        "one": ["child"],
    }


def test_artifacts(crossing: Crossing) -> None:
    files = crossing.at_reader["artifacts"]
    assert files[crossing.journal.parent]["notes/note.txt"] == journal.digest(journal.TEXT.encode())
    assert files[crossing.journal.parent]["binaries/large.bin"] == journal.digest(journal.LARGE)
    assert "table.json" in files[crossing.journal.parent]
    assert files[crossing.journal.child] == {}


def test_registered_model(crossing: Crossing) -> None:
    assert crossing.at_reader["champion"] == "2"
    assert crossing.at_reader["registered model"]["description"] == "a classifier"
    versions = {version["version"]: version for version in crossing.at_reader["model versions"]}
    assert versions.keys() == {"1", "2"}
    assert versions["1"]["tags"] == {"checked": "yes"}
    assert {version["run_id"] for version in versions.values()} == {crossing.journal.trained}


def test_prompts(crossing: Crossing) -> None:
    name = crossing.journal.prompt
    assert crossing.at_reader["prompt names"] == [name]
    assert crossing.at_reader["prompts"] == {
        f"prompts:/{name}/1": journal.TEMPLATE,
        f"prompts:/{name}@live": journal.TEMPLATE.upper(),
    }
