"""Many writers at once: a few seconds in the suite, a minute and more with ``MLFLOW_ACCEL_TEST_LOAD`` (``tox -e load``)."""
