"""Experiments for tests of reads, written as rows: what the API lets in, and what other versions left there."""

from __future__ import annotations

import random
from typing import Any

from mlflow.store.tracking.dbmodels import models
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

NOW = 1_700_000_000_000
TEXTS = (
    "",
    "a",
    "größer",
    "\u20ac\U0001f600",
    'quo"te\\',
    "tab\tline\nreturn\r",
    "\x01\x7f\u2028",
    "x" * 500,
    "%_'",
    "NaN",
)
NUMBERS = (
    0.0,
    -0.0,
    0.1,
    1 / 3,
    5e-324,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    1e16,
    1e22,
    123456.0,
    -2.5e-7,
)
KEYS = ("loss", "acc", "val/loss", "größe", "a b", "lr")
HISTORIES = {"one": 1, "twelve": 12, "ties": 9, "long": 5004}
"""Key of a metric, and how many points each of the first runs has of it."""

STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


def fill(engine: Engine, seed: int = 5, runs: int = 60) -> list[str]:
    """Add experiments 1 to 3 with ``runs`` runs and all that belongs to them; return the runs' ids."""
    draw = random.Random(seed)
    with Session(engine) as session:
        rows = _Rows(draw, runs)
        for model, found in rows.by_table():
            if found:
                session.execute(insert(model), found)
        session.commit()
    return rows.ids


class _Rows:
    def __init__(self, draw: random.Random, runs: int) -> None:
        self._draw = draw
        self.ids = [f"{draw.getrandbits(128):032x}" for _ in range(runs)]
        self._datasets = [
            (experiment, f"{draw.getrandbits(128):032x}", name)
            for experiment in (1, 2)
            for name in ("iris", "wine", "ü")
        ]
        self._models = [f"m-{i:032x}" for i in range(3)]

    def by_table(self) -> list[tuple[Any, list[dict[str, Any]]]]:
        draw = self._draw
        experiments = [
            {"experiment_id": i, "name": f"experiment {i}", "artifact_location": f"/a/{i}", "workspace": "default",
             "lifecycle_stage": "deleted" if i == 3 else "active", "creation_time": NOW, "last_update_time": NOW + i}
            for i in (1, 2, 3)
        ]  # fmt: skip
        experiment_tags = [
            {"experiment_id": i, "key": key, "value": value}
            for i, key, value in ((1, "team", "a"), (1, "größe", "ü\n"), (2, "team", None), (3, "team", ""))
        ]
        points = [point for run in self.ids[:4] for key in HISTORIES for point in self._history(run, key)]
        runs, latest, params, tags, inputs, input_tags = [], [], [], [], [], []
        for i, run in enumerate(self.ids):
            runs.append(self._run(run, i))
            for key in draw.sample(KEYS, draw.randrange(len(KEYS) + 1)):
                nan = draw.random() < 0.2
                latest.append(
                    {"run_uuid": run, "key": key, "value": 0.0 if nan else self._number(), "is_nan": nan,
                     "timestamp": draw.choice([0, NOW, 2**63 - 1]), "step": draw.choice([0, 1, -5, 2**62])}
                )  # fmt: skip
            for key in draw.sample(KEYS, draw.randrange(len(KEYS) + 1)):
                params.append({"run_uuid": run, "key": key, "value": self._text()})
            for key in draw.sample((*KEYS, "mlflow.runName", "mlflow.user"), draw.randrange(5)):
                value = None if draw.random() < 0.1 else self._text()
                tags.append({"run_uuid": run, "key": key, "value": value})
            for _, uuid, _ in draw.sample(self._datasets, draw.choice([0, 0, 1, 2, 3])):
                source = f"{draw.getrandbits(128):032x}"
                inputs.append(_input(source, "DATASET", uuid, "RUN", run, 0))
                for key in draw.sample(("mlflow.data.context", "split", "ü"), draw.randrange(3)):
                    value = draw.choice(("train", "eval", "ü"))
                    input_tags.append({"input_uuid": source, "name": key, "value": value})
            for kind, target, model in draw.sample(
                [
                    (k, t, m)
                    for k, t in (("RUN_OUTPUT", "MODEL_OUTPUT"), ("RUN_INPUT", "MODEL_INPUT"))
                    for m in self._models
                ],
                draw.choice([0, 0, 1, 4]),
            ):
                inputs.append(
                    _input(f"{draw.getrandbits(128):032x}", kind, run, target, model, draw.randrange(5))
                )
        datasets = [
            {"dataset_uuid": uuid, "experiment_id": experiment, "name": name, "digest": uuid[:8],
             "dataset_source_type": "code", "dataset_source": self._text() or "s",
             "dataset_schema": draw.choice([None, "", '{"a": "ü"}']), "dataset_profile": draw.choice([None, "", "{}\n"])}
            for experiment, uuid, name in self._datasets
        ]  # fmt: skip
        return [
            (models.SqlExperiment, experiments),
            (models.SqlRun, runs),
            (models.SqlExperimentTag, experiment_tags),
            (models.SqlMetric, points),
            (models.SqlLatestMetric, latest),
            (models.SqlParam, params),
            (models.SqlTag, tags),
            (models.SqlDataset, datasets),
            (models.SqlInput, inputs),
            (models.SqlInputTag, input_tags),
        ]

    def _history(self, run: str, key: str) -> list[dict[str, Any]]:
        draw = self._draw
        return [
            {
                "run_uuid": run,
                "key": key,
                "value": 0.0
                if key == "ties" and i in (3, 4)
                else float(i % 4 + 1)
                if key == "ties"
                else self._number(),
                "is_nan": key == "ties" and i in (3, 8),
                "timestamp": NOW + (i // 3 if key == "ties" else draw.randrange(100_000_000)),
                "step": 0 if key == "ties" and i < 6 else i // 4,
            }
            for i in range(HISTORIES[key])
        ]

    def _run(self, run: str, i: int) -> dict[str, Any]:
        draw = self._draw
        return {
            "run_uuid": run,
            "name": draw.choice([None, "", f"run {i}", self._text()[:250]]),
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": draw.choice(["", "alice", "bób"]),
            "status": draw.choice(STATUSES),
            "start_time": draw.choice([0, NOW, NOW, NOW + draw.randrange(5)]),
            "end_time": draw.choice([None, 0, NOW + 9]),
            "source_version": "",
            "lifecycle_stage": draw.choice(["active", "active", "active", "deleted"]),
            "artifact_uri": draw.choice([None, "", f"/a/{i}/ü"]),
            "experiment_id": draw.choice([1, 1, 2, 3]),
        }

    def _text(self) -> str:
        return self._draw.choice(TEXTS)

    def _number(self) -> float:
        return self._draw.choice((*NUMBERS, self._draw.gauss(0, 1), round(self._draw.random(), 3)))


def _input(
    uuid: str, source_type: str, source: str, target_type: str, target: str, step: int
) -> dict[str, Any]:
    return {
        "input_uuid": uuid,
        "source_type": source_type,
        "source_id": source,
        "destination_type": target_type,
        "destination_id": target,
        "step": step,
    }
