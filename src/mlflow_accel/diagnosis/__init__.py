"""What operators ask: ``mlflow-accel status`` (what runs here, and how) and ``mlflow-accel doctor`` (is a database fit)."""
