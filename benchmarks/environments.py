"""Python environments of the servers that are compared: built from PyPI once, and kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mlflow-accel-benchmarks")
BUILD_SECONDS = 900
READY = "ready"
"""A file in an environment that is complete."""

_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()
                  if d.metadata["Name"].lower() in sys.argv[1:]}))
"""


class BuildFailed(RuntimeError):
    """An environment that could not be built; the message holds the last line of what failed."""


@dataclass(frozen=True)
class Environment:
    """What one server, or several, are run from."""

    name: str
    requirements: tuple[str, ...]
    dependencies: bool = True
    """Whether what the requirements require is installed as well."""
    repair: Callable[[Path], None] | None = None
    """Is given site-packages once they are installed, to make work what was published broken."""

    @property
    def directory(self) -> Path:
        """Where it lies: other requirements or another Python make another environment."""
        described = json.dumps([sys.version, self.requirements, self.dependencies])
        return CACHE / f"{self.name}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"

    @property
    def programs(self) -> Path:
        """The directory of its programs."""
        return self.directory / "bin"

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.programs / "python")

    def build(self, say: Callable[[str], None]) -> None:
        """Install it, unless it is there; raises ``BuildFailed``."""
        if (self.directory / READY).exists():
            return
        say(f"{self.name}: installing {', '.join(self.requirements)}")
        since = time.monotonic()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        for command in self._commands():
            _run(command)
        if self.repair is not None:
            (packages,) = self.directory.glob("lib/python*/site-packages")
            self.repair(packages)
        (self.directory / READY).touch()
        say(f"{self.name}: installed in {time.monotonic() - since:.0f} s")

    def _commands(self) -> list[list[str]]:
        """Return the commands that make it: uv's where it is there, as it takes seconds; else venv and pip."""
        options = [*([] if self.dependencies else ["--no-deps"]), *self.requirements]
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if uv is not None:
            return [
                [uv, "venv", "--quiet", "--python", sys.executable, str(self.directory)],
                [uv, "pip", "install", "--quiet", "--python", self.python, *options],
            ]
        return [
            [sys.executable, "-m", "venv", str(self.directory)],
            [self.python, "-m", "pip", "install", "--quiet", *options],
        ]

    def versions(self, packages: Sequence[str]) -> dict[str, str]:
        """Return the installed versions of those ``packages`` that are there."""
        return versions(self.python, packages)


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those ``packages`` that the interpreter ``python`` finds."""
    found: dict[str, str] = json.loads(_run([python, "-c", _VERSIONS, *map(str.lower, packages)]))
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=True)
    except subprocess.CalledProcessError as ex:
        raise BuildFailed(_last_line(ex.stderr) or f"{command[0]} ended with {ex.returncode}") from None
    except (OSError, subprocess.TimeoutExpired) as ex:
        raise BuildFailed(str(ex)) from None
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else ""
