"""The servers that are compared: where each comes from, and how it is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mlflow_accel
from benchmarks.environments import Environment

PACKAGE_ROOT = Path(mlflow_accel.__file__).parents[1]


@dataclass(frozen=True)
class Options:
    """What each server is told at its start."""

    port: int
    workers: int
    uri: str
    """The database, as SQLAlchemy writes it."""
    artifacts: str
    """A directory, or the URI of a store."""


@dataclass(frozen=True)
class Kind:
    """One of the servers that are compared."""

    name: str
    title: str
    schema: str
    """Kinds of one schema can open each other's databases."""
    command: Callable[[Options], list[str]]
    """Programs are those of the kind's environment."""
    environment: Environment | None = None
    """None: the server is installed where the benchmarks run."""
    variables: Callable[[], dict[str, str]] = dict
    """Environment variables."""
    workers_hold_connections: bool = True
    """Whether each worker is a process that holds its clients' connections; else a turn cannot tell whether
    one of them stood idle."""


def _mlflow_options(options: Options) -> list[str]:
    return [
        *("--host", "127.0.0.1", "--port", str(options.port), "--workers", str(options.workers)),
        *("--backend-store-uri", options.uri, "--artifacts-destination", options.artifacts),
    ]


def _mlflow(options: Options) -> list[str]:
    return ["mlflow", "server", *_mlflow_options(options)]


def _mlflow_gunicorn(options: Options) -> list[str]:
    # Any option brings gunicorn; this is the one that upstream's own documentation gives.
    return [*_mlflow(options), "--gunicorn-opts", "--timeout 180"]


def _mlflow_go(options: Options) -> list[str]:
    # Without a line per request: ours writes none either.
    return [
        "mlflow-go",
        "server",
        *_mlflow_options(options),
        "--go-opts",
        "log_level=warn,shutdown_timeout=5s",
    ]


def _fasttrackml(options: Options) -> list[str]:
    # It counts the slashes of a SQLite URI otherwise, and has one process with as many threads as cores.
    uri = options.uri.replace("sqlite:///", "sqlite://")
    return [
        *("fml", "server", "--listen-address", f"127.0.0.1:{options.port}", "--database-uri", uri),
        *("--default-artifact-root", options.artifacts, "--log-level", "warn"),
    ]


@cache
def _is_installed() -> bool:
    """Whether ``mlflow_accel`` is importable without this repository being the working directory."""
    command = [sys.executable, "-I", "-c", "import mlflow_accel"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _mlflow_accel(options: Options) -> list[str]:
    if _is_installed():
        program = [str(Path(sys.executable).with_name("mlflow-accel"))]
    else:
        program = [sys.executable, "-m", "mlflow_accel.cli"]
    return [*program, "server", *_mlflow_options(options)]


def _mlflow_accel_variables() -> dict[str, str]:
    # A half-built or plain package must fail, not be measured.
    variables = {"MLFLOW_ACCEL_IMPL": "compiled"}
    if not _is_installed():
        variables["PYTHONPATH"] = str(PACKAGE_ROOT)
    return variables


def _rename_library(packages: Path) -> None:
    """Give mlflow-go's library the name that it is looked for: the wheel for Linux has macOS's."""
    library = packages / "mlflow_go_backend" / "libmlflow-go-backend.dylib"
    if library.exists():
        shutil.copyfile(library, library.with_suffix(".so"))


UPSTREAM = Environment("mlflow", ("mlflow==3.17.2", "psycopg[binary]>=3.1.14", "boto3>=1.36"))
# 0.2.2, the newest, cannot log a metric on PostgreSQL, and works with this MLflow and SQLAlchemy at most.
MLFLOW_GO = Environment(
    "mlflow-go",
    ("mlflow-go-backend==0.2.0", "mlflow==2.20.0", "SQLAlchemy<2.1"),
    repair=_rename_library,
)
# A program without any Python: what the package requires is for its client.
FASTTRACKML = Environment("fasttrackml", ("fasttrackml==0.6.0",), dependencies=False)

KINDS = {
    kind.name: kind
    for kind in (
        Kind("mlflow", "mlflow server (default: uvicorn)", "mlflow-3.17", _mlflow, UPSTREAM),
        Kind(
            "mlflow-gunicorn",
            "mlflow server (gunicorn)",
            "mlflow-3.17",
            _mlflow_gunicorn,
            UPSTREAM,
            workers_hold_connections=False,
        ),
        Kind(
            "mlflow-go",
            "mlflow-go-backend 0.2.0",
            "mlflow-2.20",
            _mlflow_go,
            MLFLOW_GO,
            workers_hold_connections=False,
        ),
        Kind(
            "fasttrackml",
            "FastTrackML 0.6.0",
            "fasttrackml-0.6",
            _fasttrackml,
            FASTTRACKML,
            workers_hold_connections=False,
        ),
        Kind(
            "mlflow-accel",
            "mlflow-accel server",
            "mlflow-3.17",
            _mlflow_accel,
            variables=_mlflow_accel_variables,
        ),
    )
}
"""By name; the first is the baseline of the ratios."""
BASELINE = next(iter(KINDS))
OURS = "mlflow-accel"
PEERS = ("mlflow-go", "fasttrackml")


def environment_of(kind: Kind) -> dict[str, str]:
    """Return the environment variables of a server: this process's, without any server's settings."""
    settings = ("MLFLOW_", "FML_")
    kept = {name: value for name, value in os.environ.items() if not name.lstrip("_").startswith(settings)}
    # A start is measured as an installation has it: with its bytecode kept.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    if kind.environment is not None:
        kept["PATH"] = os.pathsep.join([str(kind.environment.programs), kept.get("PATH", os.defpath)])
    # Nothing that is measured may depend on a network.
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", **kind.variables()}
