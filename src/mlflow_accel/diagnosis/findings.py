"""What a check of the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Works, and the operator may want to know."""
    PROBLEM = "problem"
    """Does not work, or will fail under load; the exit code is 1."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    """What was looked at: ``address``, ``driver``, ``connection``, ``schema``, ``index``, ``pool``, ..."""
    level: Level
    found: str
    needed: str = ""
    command: str = ""
    """A command line or a statement that mends it; passwords are ``***``."""


class Stop(Exception):
    """Carries the finding after which nothing else can be checked."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.found)
        self.finding = finding
