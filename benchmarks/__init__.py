"""The same work for `mlflow server`, for `mlflow-accel server` and for their peers, side by side in one run.

``python -m benchmarks --help`` says what can be narrowed. Every figure of the README comes from here.

* ``workloads/``: what is measured, one small file each; ``workloads/__init__.py`` is the list.
* ``rounds.py``: servers take turns, round after round, under the load of ``load.py`` (wrk).
* ``servers.py``, ``databases.py``, ``postgres.py``: what is started, and on what.
* ``processes.py``: CPU, memory and connections of a server's process tree. ``stats.py``: medians and ratios.
* ``results.py``, ``report.py``: the JSON file, and the tables that people read.
"""
