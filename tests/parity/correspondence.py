"""When two values that differ mean the same: what a server has just made up, or read off the clock.

An identifier that one server made stands for the one that the other made in the same place, and for no
other, in every answer and row that follows. A time counts as equal to another if both lie within the
comparison.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from itertools import zip_longest

from mlflow.utils.name_utils import _GENERATOR_PREDICATES

HEX = r"[0-9a-f]{32}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PREDICATES = "|".join(sorted(word.lower() for word in _GENERATOR_PREDICATES))
NAME = rf"\b(?:{PREDICATES})-[a-z]+(?:-\d{{0,4}})?(?![\w-])"
ISO_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?"
EPOCH = r"(?<![0-9A-Za-z.])1\d{12}(?:\d{3}|\d{6})?(?![0-9A-Za-z.])"
DIGEST = r"(?:\A|(?<=\A'))[0-9a-f]{8}(?='?\Z)"
MADE_UP = re.compile(f"({ISO_TIME}|{UUID}|{HEX}|{NAME}|{EPOCH}|{DIGEST})")

IN_ORDER_OF_IDS = {"budget_policies", "endpoints", "guardrails", "mcp_access_endpoints", "windows"}
"""Lists that come in the order of the identifiers that were made up, another one on each server."""

CLOCK_SLACK_MS = 2000


def _milliseconds(token: str) -> float | None:
    """Return the time that ``token`` says, in ms since the epoch, or None if it says none."""
    if re.fullmatch(EPOCH, token):
        return float(token) / 10.0 ** (len(token) - 13)
    if re.fullmatch(ISO_TIME, token):
        said = datetime.fromisoformat(token.replace("Z", "+00:00"))
        return said.replace(tzinfo=said.tzinfo or timezone.utc).timestamp() * 1000
    return None


def _shape(token: str) -> str:
    """Return what kind of made-up text ``token`` is."""
    return next(kind for kind in (UUID, HEX, NAME, DIGEST) if re.fullmatch(kind, token))


class Correspondence:
    """What has been found to stand for what, between upstream's answers and ours."""

    def __init__(self, known: Iterable[str]) -> None:
        """``known`` are texts that both servers start from: an identifier in them stands for itself only."""
        self._known = {token for text in known for token in MADE_UP.findall(text)}
        self._started = time.time() * 1000 - CLOCK_SLACK_MS
        self._to_ours: dict[str, str] = {}
        self._to_upstream: dict[str, str] = {}

    def _is_now(self, milliseconds: float) -> bool:
        return self._started <= milliseconds <= time.time() * 1000 + CLOCK_SLACK_MS

    def _tokens_alike(self, upstream: str, ours: str) -> bool:
        times = _milliseconds(upstream), _milliseconds(ours)
        if times[0] is not None and times[1] is not None:
            return self._is_now(times[0]) and self._is_now(times[1])
        if times != (None, None) or _shape(upstream) != _shape(ours) or {upstream, ours} & self._known:
            return False
        return (
            self._to_ours.setdefault(upstream, ours) == ours
            and self._to_upstream.setdefault(ours, upstream) == upstream
        )

    def texts_alike(self, upstream: str, ours: str) -> bool:
        """Tell whether the two are equal but for what was made up in the same places."""
        if upstream == ours:
            return True
        pieces = list(zip_longest(MADE_UP.split(upstream), MADE_UP.split(ours)))
        plain, made_up = pieces[::2], pieces[1::2]
        if any(left != right for left, right in plain):
            return False
        return all(left == right or self._tokens_alike(left, right) for left, right in made_up)

    def differences(
        self, upstream: object, ours: object, place: str = ""
    ) -> list[tuple[str, object, object]]:
        """Return each place where two parsed answers differ, with both values; an absent one is ``...``."""
        if type(upstream) is not type(ours):
            return [(place, upstream, ours)]
        if isinstance(upstream, Mapping) and isinstance(ours, Mapping):
            return [
                found
                for key in {**upstream, **ours}
                for found in self.differences(upstream.get(key, ...), ours.get(key, ...), f"{place}.{key}")
            ]
        if isinstance(upstream, list) and isinstance(ours, list):
            if place.rsplit(".", 1)[-1] in IN_ORDER_OF_IDS:
                upstream, ours = (
                    sorted(each, key=lambda item: self.canonical([item])) for each in (upstream, ours)
                )
            return [
                found
                for number, pair in enumerate(zip_longest(upstream, ours, fillvalue=...))
                for found in self.differences(*pair, f"{place}[{number}]")
            ]
        return [] if self._scalars_alike(upstream, ours) else [(place, upstream, ours)]

    def _scalars_alike(self, upstream: object, ours: object) -> bool:
        if isinstance(upstream, float):
            return repr(upstream) == repr(ours)  # NaN is NaN here, and -0.0 is not 0.0
        if isinstance(upstream, int) or (isinstance(upstream, str) and isinstance(ours, str)):
            return self.texts_alike(str(upstream), str(ours))
        return upstream == ours

    def canonical(self, row: Iterable[object]) -> tuple[str, ...]:
        """Return a stored row in upstream's words, whoever stored it, with times of now left out.

        Identifiers that no answer has shown are left out too: rows are compared as multisets.
        """
        return tuple(
            # Bytes are what was encrypted, each time with another key.
            "<bytes>" if isinstance(value, bytes) else MADE_UP.sub(self._in_upstreams_words, repr(value))
            for value in row
        )

    def _in_upstreams_words(self, match: re.Match[str]) -> str:
        token = match.group()
        said = _milliseconds(token)
        if said is not None:
            return "<now>" if self._is_now(said) else token
        if token in self._known or token in self._to_ours:
            return token
        return self._to_upstream.get(token, "<made up>")
