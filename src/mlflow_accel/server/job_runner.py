"""What runs as the job runner: upstream's own, after the jobs of one that was killed are put back.

``python -m mlflow_accel.server.job_runner LOCK [DEAD]``: the descriptor of the lock that this process holds for as
long as it lives, and the pid of the runner before it. Nothing is patched here.

Upstream's runner takes up unfinished jobs when the server starts, into queues that are new. Here the queues are those
that a killed runner left: what waits in them runs by itself, and only the rest has to be put back.
"""

from __future__ import annotations

import logging
import os
import runpy
import sys
import time

_logger = logging.getLogger("mlflow.server.jobs.mlflow_accel")

ENDED_SECONDS = 30.0
"""How long a dead runner's processes may take to end; they look for their parent each second."""

OWN_GROUPS_SECONDS = 2.0
"""The same, of the executor's jobs: each leads a process group, and is not seen in the runner's."""


def main() -> None:
    """Run until a signal or the server's end."""
    lock, *dead = map(int, sys.argv[1:])
    # Held by this process alone, not by the jobs.
    os.set_inheritable(lock, False)
    from mlflow.server.jobs.utils import get_job_execution_engine

    engine = get_job_execution_engine()
    if dead:
        _wait_for_end(dead[0])
        if engine == "executor":
            time.sleep(OWN_GROUPS_SECONDS)
        else:
            _put_back()
    module = "_executor_runner" if engine == "executor" else "_job_runner"
    sys.argv = sys.argv[:1]
    runpy.run_module(f"mlflow.server.jobs.{module}", run_name="__main__", alter_sys=True)


def _wait_for_end(group: int) -> None:
    """Wait for the end of the processes that a dead runner has left, which are of its process group."""
    deadline = time.monotonic() + ENDED_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    _logger.warning("Some of the processes of job runner %s may still run.", group)


def _put_back() -> None:
    """Queue every unfinished job that waits in no queue; and let upstream's runner, which starts next, find none."""
    from mlflow.server.constants import MLFLOW_SERVER_UP_TIME
    from mlflow.server.jobs import utils

    get = utils._get_or_init_huey_instance
    queued = set()
    for name in utils._job_name_to_fn_fullname_map:
        huey = get(name).instance
        if utils._get_huey_redis_url() is None:
            # Nothing is kept there but the locks of exclusive jobs; those of Redis may be another server's.
            huey.storage.flush_results()
        queued |= {task.args[0] for task in (*huey.pending(), *huey.scheduled())}

    def without_queued(name: str) -> utils.HueyInstance:
        found = get(name)

        def submit(job_id: str, *arguments: object) -> None:
            if job_id not in queued:
                found.submit_task(job_id, *arguments)

        return utils.HueyInstance(found.instance, submit)

    utils._get_or_init_huey_instance = without_queued
    try:
        utils._enqueue_unfinished_jobs(int(os.environ[MLFLOW_SERVER_UP_TIME]))
    finally:
        utils._get_or_init_huey_instance = get
    os.environ[MLFLOW_SERVER_UP_TIME] = "0"


if __name__ == "__main__":
    main()
