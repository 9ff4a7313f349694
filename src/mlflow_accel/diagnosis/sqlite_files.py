"""What only a SQLite file can have wrong: its place, its journal mode, and who may write to it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sqlalchemy import URL

from mlflow_accel.diagnosis import reach
from mlflow_accel.diagnosis.findings import Finding, Level, Stop
from mlflow_accel.sql import file_systems, urls


def examine(url: URL) -> list[Finding]:
    """Return the findings about the file of ``url``; none for another database.

    Raises:
        Stop: there is no file, or it cannot be read.
    """
    if url.get_backend_name() != "sqlite":
        return []
    file = urls.sqlite_file(url)
    if file is None:
        raise Stop(
            Finding(
                "file",
                Level.PROBLEM,
                "a database in memory: each worker has its own, and loses it when it ends",
                "a file, or another database",
                "mlflow-accel server --backend-store-uri sqlite:///mlflow.db",
            )
        )
    if not file.exists():
        raise Stop(_missing(file))
    if not _may(file, os.R_OK):
        raise Stop(Finding("file", Level.PROBLEM, f"{_user()} may not read {file}", "the server's user"))
    return [*_permissions(file), _journal(file)]


def _missing(file: Path) -> Finding:
    folder = next(parent for parent in file.parents if parent.exists())
    if not _may(folder, os.W_OK):
        return _not_writable([folder])
    return Finding(
        "file",
        Level.NOTE,
        f"{file} does not exist",
        "nothing: it will be created at the server's first start",
    )


def _permissions(file: Path) -> list[Finding]:
    """SQLite creates, and may find, files beside the database."""
    beside = [path for suffix in ("-wal", "-shm", "-journal") if (path := Path(f"{file}{suffix}")).exists()]
    denied = [path for path in (file.parent, file, *beside) if not _may(path, os.W_OK)]
    return [_not_writable(denied)] if denied else []


def _not_writable(paths: list[Path]) -> Finding:
    names = ", ".join(map(str, paths))
    command = f"chown {_user()} {' '.join(shlex.quote(str(path)) for path in paths)}"
    needed = "that the server's user may write to the file, its folder and the files beside it"
    return Finding("file", Level.PROBLEM, f"{_user()} may not write to {names}", needed, command)


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _journal(file: Path) -> Finding:
    system, wal = file_systems.kind(file), reach.is_wal(file)
    mode = "WAL" if wal else "a rollback journal"
    if system in file_systems.NETWORK:
        needed = "a local disk, or PostgreSQL: SQLite's locks and its WAL are not safe between machines"
        level = Level.PROBLEM if wal else Level.NOTE
        return Finding("journal", level, f"{mode}, on a network file system ({system})", needed)
    place = f"on a local file system{f' ({system})' if system else ''}"
    if wal:
        return Finding("journal", Level.OK, f"{mode}, {place}: readers do not wait for writers")
    needed = "nothing: mlflow-accel server switches it to WAL, which mlflow server reads as well"
    return Finding("journal", Level.NOTE, f"{mode}, {place}: readers wait for writers", needed)
