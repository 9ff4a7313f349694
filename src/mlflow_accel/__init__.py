"""A drop-in for ``mlflow server``: upstream's routes, schema and UI, with the hot paths compiled.

Importing this package does nothing else: no MLflow import, no patch, no thread.
"""

__version__ = "0.1.0"
