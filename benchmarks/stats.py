"""Percentiles, medians and ratios with their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least ``percent`` of the values do not exceed (nearest rank).

    Raises:
        ValueError: there are no values, or ``percent`` is not within 0 and 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent} of {len(values)} values")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ``ValueError`` where there are no values."""
        if not values:
            raise ValueError("no values")
        return cls(statistics.median(values), min(values), max(values))


def advantage(rounds: Sequence[tuple[float, float]], *, higher_is_better: bool) -> Spread | None:
    """Return how many times better ours is than theirs, or None where no round can be compared.

    Each pair is (ours, theirs) of one round, so that what slowed the machine in a round slows both sides
    of its ratio. A round in which either side is zero is left out.
    """
    ratios = [
        ours / theirs if higher_is_better else theirs / ours
        for ours, theirs in rounds
        if ours > 0 and theirs > 0
    ]
    return Spread.of(ratios) if ratios else None


def is_difference(ratio: Spread) -> bool:
    """Return whether all rounds lie on the same side of 1; else the difference is within the noise."""
    return ratio.low > 1 or ratio.high < 1
