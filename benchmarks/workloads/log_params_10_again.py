"""10 params that the run has already."""

from benchmarks.workloads.writing import params_again

WORKLOAD = params_again("log_params_10_again", 10)
