"""The list of experiments, as ``MlflowClient.search_experiments`` asks for it."""

from benchmarks.client import API
from benchmarks.load import Template
from benchmarks.workloads.reading import EXPERIMENTS, read_workload
from benchmarks.workloads.writing import expect

WORKLOAD = read_workload(
    "experiments_search",
    "experiments/search, 50 experiments, 20 clients",
    Template("POST", f"{API}/experiments/search", '{"max_results": 50, "view_type": "ACTIVE_ONLY"}'),
    lambda answer: expect("the number of experiments", len(answer["experiments"]), EXPERIMENTS),
)
