"""The requests that a server has answered fast or declined, by its own counters."""

from __future__ import annotations

from collections import Counter

from mlflow_accel.server import runtime
from tests.support.processes import RunningServer

Counts = dict[str, dict[str, int]]

READING = {"get_run", "search_runs", "get_experiment", "get_experiment_by_name", "search_experiments"}
"""The endpoints that a client asks on its way to what it is told to do."""


class Counting:
    """What the server has counted since this was made."""

    def __init__(self, server: RunningServer) -> None:
        self._pid = server.process.pid
        self._before = self._now()

    def _now(self) -> Counter[tuple[str, str]]:
        counts = runtime.requests(runtime.servers()[self._pid])
        return Counter({(endpoint, o): n for endpoint, found in counts.items() for o, n in found.items()})

    def written(self) -> Counts:
        """Return the counts without those of reading, which must have been answered fast."""
        counts = self.counts()
        assert not {name: counts[name] for name in READING & counts.keys() if counts[name].keys() != {"fast"}}
        return {endpoint: found for endpoint, found in counts.items() if endpoint not in READING}

    def counts(self) -> Counts:
        """Return ``{endpoint: {outcome: requests}}``, without what is zero."""
        found: Counts = {}
        for (endpoint, outcome), number in (self._now() - self._before).items():
            found.setdefault(endpoint, {})[outcome] = number
        return found
