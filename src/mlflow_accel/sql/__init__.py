"""One module per database: its statements, and how rows are bound to them.

What a module of a database has, for :mod:`mlflow_accel.store.writer` and the writes that go by themselves:

* ``transact(connection, work, in_group)``: run ``work(cursor)`` in a transaction of its own; in a group, no lock is
  waited for longer than some 200 ms (MySQL: 1 s).
* ``may_succeed_alone(error)``: whether an error was about locks, not about the rows.
* Statements for ``insert(cursor, statement, columns)``, which takes one list per parameter, rows sorted by their key:
  ``NEW_RUNS``, ``CHANGED_RUNS``, ``PARAMS``, ``METRICS``, ``LATEST``, ``MODEL_METRICS``, ``TAGS``, ``EXPERIMENT_TAGS``
  (see ``store.columns.GroupColumns`` for their columns), ``DATASETS``, ``DATASET_INPUTS``, ``INPUT_TAGS``,
  ``MODEL_INPUTS``, ``MODEL_OUTPUTS``. What may be there already (params, metrics) is passed over; latest metrics give
  way to newer ones only; tags to any. The others fail on what is there, and upstream's method says so.
* Statements for ``cursor.execute``: ``DELETE_TAG``, ``STAGE``, ``RUN_OF_ANY_STAGE``, ``ASSESSMENT_WITH``.
* Reads: ``active_runs``, ``active_experiments``, ``param_values``, ``dataset_ids``, ``datasets_used``.

Keys reach these modules in ASCII, and unique by case; a database that compares without case, or without trailing
blanks, must decline what collides for it.
"""
