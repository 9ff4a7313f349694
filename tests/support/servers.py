"""How upstream's server and ours are started: the same options, one module name apart."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType
from typing import final

from tests.support.processes import RunningServer, clean_environment, free_port, start_server

UPSTREAM = (sys.executable, "-m", "mlflow")


def ours_command() -> tuple[str, ...]:
    """Return the console script beside this interpreter, or the module where the package is not installed."""
    try:
        distribution("mlflow-accel")
    except PackageNotFoundError:
        # A script beside the interpreter would be somebody else's, and run another copy of the package.
        return (sys.executable, "-m", "mlflow_accel.cli")
    return (str(Path(sys.executable).with_name("mlflow-accel")),)


@final
class ServerFactory:
    """Starts servers of one kind and stops them all when it is closed."""

    def __init__(self, command: Sequence[str], directory: Callable[[], Path]) -> None:
        """``command`` precedes ``server``; ``directory`` makes a new working directory for each server."""
        self._command = tuple(command)
        self._directory = directory
        self._running = ExitStack()

    def __call__(
        self,
        *options: str,
        env: Mapping[str, str] | None = None,
        env_file: Path | None = None,
        prefix: str = "",
    ) -> RunningServer:
        """Start a server with one worker and ``options``; return it when it is ready.

        ``prefix`` is the static prefix under which it answers ``/health``, however it was told of it.
        """
        port = free_port()
        before = ("--env-file", str(env_file)) if env_file else ()
        own = ("--host", "127.0.0.1", "--port", str(port))
        workers = () if "--workers" in options else ("--workers", "1")
        server = start_server(
            [*self._command, *before, "server", *own, *workers, *options],
            port=port,
            cwd=self._directory(),
            env=clean_environment(env),
            health=f"{prefix}/health",
        )
        self._running.callback(server.stop)
        return server

    def __enter__(self) -> ServerFactory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
