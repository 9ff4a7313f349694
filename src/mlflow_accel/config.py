"""Every ``MLFLOW_ACCEL_*`` setting: its name, type, default and meaning, read by one parser.

Settings are read from the environment each time they are asked for, so that an ``--env-file`` or a test that
sets one late is heard. ``MLFLOW_ACCEL_BUILD`` is not here: only ``setup.py`` knows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlflow_accel.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One environment variable."""

    name: str
    parse: Callable[[str], T]
    default: T
    doc: str

    def get(self) -> T:
        """Return the parsed value, or the default where the variable is unset or empty.

        Raises:
            ConfigurationError: the text is not of the setting's type.
        """
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError as ex:
            raise ConfigurationError(f"{self.name}={text!r}: {ex}") from None


def _boolean(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("use 1 or 0")


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"use one of {', '.join(values)}")
        return text

    return parse


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError("use a number above zero")
    return value


IMPL = Setting(
    "MLFLOW_ACCEL_IMPL",
    _one_of("", "compiled", "python"),
    "",
    "Which implementation runs: 'compiled' or 'python'. Unset: what was built. A request that cannot be met raises.",
)
STRICT = Setting(
    "MLFLOW_ACCEL_STRICT",
    _boolean,
    False,
    "Refuse to start when an upstream function is not the one that was reviewed. Default: that seam runs "
    "upstream's code, with one log line.",
)
POOL_TIMEOUT = Setting(
    "MLFLOW_ACCEL_POOL_TIMEOUT",
    _positive,
    30.0,
    "Seconds that a request waits for a database connection before it is answered 503 with Retry-After.",
)
RUNTIME_DIR = Setting(
    "MLFLOW_ACCEL_RUNTIME_DIR",
    str,
    "",
    "Where a running server keeps its private directory (counters, locks). Unset: the system's temporary directory.",
)

SETTINGS: tuple[Setting[object], ...] = (IMPL, STRICT, POOL_TIMEOUT, RUNTIME_DIR)  # type: ignore[assignment]
"""All of them, in the order of the README's table."""
