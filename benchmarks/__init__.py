"""The same work for `mlflow server`, `mlflow-accel server` and their peers; see the README here."""
