"""Time every case in one form, in this process, and print ``{case: CPU seconds per call}`` as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import process_time
from timeit import Timer

from benchmarks.micro.cases import FORMS

REPEATS = 5
SECONDS = 0.01
"""How long one repeat runs, about."""


def best(case: Callable[[], object]) -> float:
    """Return the CPU seconds of one call in the best of several repeats: the one least disturbed by others."""
    timer = Timer(case, timer=process_time)
    number = max(1, int(SECONDS / (timer.timeit(10) / 10)))
    return min(timer.repeat(REPEATS, number)) / number


if __name__ == "__main__":
    (form,) = (form for form in FORMS if form.name == sys.argv[1])
    print(json.dumps({name: best(case) for name, case in form.cases().items()}))
