"""The reads of a store, each as the answer's JSON, or the reason for which it is left to upstream's view."""

from __future__ import annotations

from mlflow_accel.store.experiments import Experiments
from mlflow_accel.store.histories import Histories
from mlflow_accel.store.reader import Reader
from mlflow_accel.store.runs import Runs


class Reads:
    """What one reader reads, by resource.

    Every method raises ``MlflowException`` where the database cannot be reached, or the pool is exhausted (503: a retry
    works).
    """

    def __init__(self, reader: Reader) -> None:
        self.runs = Runs(reader)
        self.experiments = Experiments(reader)
        self.histories = Histories(reader)
