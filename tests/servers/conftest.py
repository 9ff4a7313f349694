"""Servers that the tests of a module share, and the real client, whose settings are put back."""

from __future__ import annotations

import os

# Read once, when mlflow is imported: nothing is to be sent anywhere from a test.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlflow_accel import config
from tests.support.servers import UPSTREAM, ServerFactory, ours_command


@pytest.fixture(scope="module")
def runtime_directory(new_directory: Callable[[], Path]) -> Iterator[dict[str, str]]:
    """Make a directory for servers' counters, known to this process; servers are given this environment."""
    name, directory = config.RUNTIME_DIR.name, str(new_directory())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, directory)
        yield {name: directory}


@pytest.fixture(scope="module")
def module_ours(new_directory: Callable[[], Path]) -> Iterator[ServerFactory]:
    """Start our server, for the tests of a module."""
    with ServerFactory(ours_command(), new_directory) as factory:
        yield factory


@pytest.fixture(scope="module")
def module_upstream(new_directory: Callable[[], Path]) -> Iterator[ServerFactory]:
    """Start upstream's default server, for the tests of a module."""
    with ServerFactory(UPSTREAM, new_directory) as factory:
        yield factory
