"""What operators ask: ``mlflow-accel status`` (what runs, and how) and ``doctor`` (is a database fit)."""
