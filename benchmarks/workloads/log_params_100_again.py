"""100 params, the most that a request may hold, that the run has already."""

from benchmarks.workloads.writing import params_again

WORKLOAD = params_again("log_params_100_again", 100)
