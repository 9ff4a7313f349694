"""Databases that MLflow has initialised once and that are copied from then on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

from tests.support.processes import clean_environment


class Databases(Protocol):
    """Makes databases of one kind; a URI is SQLAlchemy's."""

    name: str

    def fresh(self) -> str:
        """Return the URI of a new database that holds MLflow's tables and experiment 0."""

    def copy(self, uri: str) -> str:
        """Return the URI of a new database with the contents of ``uri``, which nothing has open."""


INITIALISE = (
    "import sys; from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as S; S(*sys.argv[1:])"
)


def initialise(uri: str) -> None:
    """Create MLflow's tables and experiment 0 in ``uri``, by a process that leaves no connection behind."""
    command = [sys.executable, "-c", INITIALISE, uri, "mlflow-artifacts:/"]
    subprocess.run(command, env=clean_environment(), check=True, capture_output=True, timeout=120)


class SqliteDatabases:
    """SQLite files in a directory."""

    name = "sqlite"
    version = sqlite3.sqlite_version

    def __init__(self, directory: Callable[[], Path]) -> None:
        """``directory`` makes a new directory for each database."""
        self._directory = directory

    @cached_property
    def _template(self) -> str:
        uri = f"sqlite:///{self._directory() / 'template.db'}"
        initialise(uri)
        return uri

    def fresh(self) -> str:
        """Return the URI of a new initialised file."""
        return self.copy(self._template)

    def copy(self, uri: str) -> str:
        """Return the URI of a copy of the file ``uri``."""
        target = self._directory() / "mlflow.db"
        shutil.copyfile(uri.removeprefix("sqlite:///"), target)
        return f"sqlite:///{target}"
