"""The WSGI application: ``gunicorn mlflow_accel.app``.

It reads the environment variables that ``mlflow server`` reads, with any of gunicorn's worker classes. The tuned form
is ``gunicorn -c python:mlflow_accel.server.gunicorn_conf mlflow_accel.app``.
"""

from __future__ import annotations

from mlflow_accel.server.assembly import create_app

application = create_app()
