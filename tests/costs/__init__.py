"""What a request costs, in figures that do not depend on the clock, against those that are stored.

* ``measure.py``: runs the probe.
* ``probe.py``: a process that calls the application once per request and counts.
* ``stored.json``: the figures. ``python -m tests.costs`` measures them anew, ``NAME...``
  adds requests (names of workloads of the benchmarks); look at the difference before you keep it.
"""
