"""gunicorn's settings and hooks for this application.

``mlflow-accel server`` uses them, and so does ``gunicorn -c python:mlflow_accel.server.gunicorn_conf
mlflow_accel.app``. Each setting that differs from gunicorn's default has its reason beside it; anything given on
gunicorn's command line, or with ``--gunicorn-opts``, wins.
"""

# The first import of the arbiter: the application is loaded before the fork, and whatever it imports (ssl, urllib3)
# has to find the patched modules. gunicorn itself patches only after the fork.
from mlflow_accel.server import startup

startup.begin()

import os
import socket
import sys
from typing import Any

from mlflow_accel.server import runtime

wsgi_app = "mlflow_accel.app"
# gunicorn's gevent worker, which waits out its graceful timeout for idle connections, is told to close them.
worker_class = "mlflow_accel.server.gevent_worker.Worker"

# One import of MLflow for all workers, shared by the fork: 45 MB of 379.
preload_app = True

if startup.UNPATCHED in os.environ:
    # An ASGI plugin's application begins to run when it is built, in threads for one.
    worker_class, preload_app = "asgi", False

# On a shared socket one worker took 19 or 20 of 20 connections.
reuse_port = sys.platform == "linux"

# metrics/get-history-bulk takes 100 run ids in its query: 4,199 bytes where the default allows 4,094.
limit_request_line = 0
limit_request_field_size = 65536

# Longer than the 60 s for which proxies and clients commonly keep an idle connection.
keepalive = 75

# Upstream has no limit; a worker that computes a large answer is busy, not hung.
timeout = 300

control_socket_disable = True


runtime.set_arbiter(os.getpid())


def on_starting(server: Any) -> None:
    """Refuse an address that is in use, and make room for the cold worker."""
    _refuse_used_address(server)
    on_reload(server)


def on_reload(server: Any) -> None:
    """Make room for a cold worker among the workers that come next."""
    if _can_have_cold_worker(server):
        from mlflow_accel.server import cold

        cold.one_more(server)


def _can_have_cold_worker(server: Any) -> bool:
    if not server.cfg.preload_app:
        return False
    from mlflow_accel.server.gevent_worker import Worker

    return server.worker_class is Worker


def _refuse_used_address(server: Any) -> None:
    """With SO_REUSEPORT the workers would share the address with whoever has it."""
    if not server.cfg.reuse_port or "GUNICORN_PID" in os.environ:
        return
    for address in _tcp(server):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as ex:
                from gunicorn.errors import HaltServer

                raise HaltServer(f"cannot listen at {address[0]}:{address[1]}: {ex.strerror}", 1) from None


def _tcp(server: Any) -> list[tuple[str, int]]:
    return [address for address in server.cfg.address if isinstance(address, tuple)]


def when_ready(server: Any) -> None:
    """Put away what must not be forked, and say what this server is."""
    from mlflow_accel.server import fork, jobs

    jobs.look_for_work()
    fork.put_away()
    if server.cfg.reuse_port:
        # The workers listen, not the arbiter: gunicorn's own line names no address.
        server.log.info("Serving at: %s", ", ".join(f"http://{host}:{port}" for host, port, *_ in _tcp(server)))
    if server.cfg.preload_app:
        from mlflow_accel.server import assembly, status

        runtime.describe(server.pid, status.facts(server.cfg.address, assembly.lane_objection()))


def pre_fork(server: Any, worker: Any) -> None:
    """Only the main greenlet may live: any other would go on living in the worker as well."""
    from mlflow_accel.server import fork

    fork.assert_alone()
    if _can_have_cold_worker(server):
        from mlflow_accel.server import cold

        cold.choose(server, worker)


def post_fork(server: Any, worker: Any) -> None:
    """Let the cold worker listen where the others pass requests on."""
    if getattr(worker, "is_cold", False):
        from mlflow_accel.server import cold

        cold.listen(worker)


def post_worker_init(worker: Any) -> None:
    """Let the worker take up what the arbiter must not have."""
    from mlflow_accel.server import telemetry
    from mlflow_accel.server import worker as accel_worker

    accel_worker.enter()
    if getattr(worker, "is_cold", False):
        from mlflow_accel.server import cold

        worker.wsgi = cold.Door(worker.wsgi)
    if worker.age == 1:
        telemetry.release()


def worker_exit(server: Any, worker: Any) -> None:
    """Close the databases: the last to close a SQLite file folds its write-ahead log into it, for who copies it."""
    from mlflow_accel.store import engines

    engines.close_connections()


def child_exit(server: Any, worker: Any) -> None:
    """Drop the dead worker's metric files, as prometheus_client asks gunicorn's users to."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Leave nothing behind: upstream's queue of jobs lies in memory, and the jobs themselves in the database."""
    from mlflow_accel.server import jobs

    jobs.remove_queue()
    runtime.remove(server.pid)
