"""What each compiled module gains over its plain form, without a server or a database.

``python -m benchmarks.micro`` prints the table. A compiled module that shows no gain there leaves the list in
``setup.py``.

* ``cases.py``: what is timed, and the forms in which it runs.
* ``worker.py``: one process, which times all cases in one form.
* ``__main__.py``: lets the forms take turns, and prints medians and ratios.
"""
