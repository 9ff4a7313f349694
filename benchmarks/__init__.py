"""The same work for `mlflow server`, `mlflow-accel server` and their peers, side by side; see the README here."""
