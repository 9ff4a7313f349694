"""A server without upstream's auth application answers as if it had asked it, and does not import it."""

from __future__ import annotations

import importlib
import sys

from tests.patches.interpreter import isolated


@isolated
def test_searches_and_graphql_do_not_import_the_auth_application() -> None:
    import tempfile

    from mlflow.server import app, handlers
    from werkzeug.test import Client

    from mlflow_accel import patching
    from mlflow_accel.server import no_auth

    patching.apply_all({"attribute"})
    no_auth.install()
    directory = tempfile.mkdtemp()
    handlers.initialize_backend_stores(f"sqlite:///{directory}/mlflow.db", default_artifact_root=directory)
    client = Client(app)
    search = client.post("/api/2.0/mlflow/runs/search", json={"experiment_ids": ["0"]})
    assert (search.status_code, search.json) == (200, {})
    query = client.post("/graphql", json={"query": '{ mlflowGetExperiment(input: {experimentId: "0"}) { experiment { name } } }'})
    assert query.json["data"]["mlflowGetExperiment"]["experiment"]["name"] == "Default"
    assert "mlflow.server.auth" not in sys.modules

    # What upstream's own application says where nobody has set it up.
    auth = importlib.import_module("mlflow.server.auth")

    assert handlers._get_graphql_auth_middleware.__wrapped__() == handlers._get_graphql_auth_middleware() == []
    with app.test_request_context(headers={"Authorization": "Basic YTpi"}):
        assert auth.filter_experiment_ids(["0", "1"]) == ["0", "1"]
    with app.test_request_context():
        assert auth.filter_experiment_ids(["0", "1"]) == ["0", "1"]


@isolated
def test_whoever_wants_the_auth_application_gets_it() -> None:
    import mlflow.server

    from mlflow_accel.server import no_auth

    no_auth.install()
    stand_in = mlflow.server.auth
    assert isinstance(stand_in, no_auth.Unloaded)
    assert stand_in.User.__module__ == "mlflow.server.auth.entities"
    assert mlflow.server.auth is sys.modules["mlflow.server.auth"]


@isolated
def test_a_configuration_of_its_own_is_asked() -> None:
    import os

    import mlflow.server

    from mlflow_accel.server import no_auth

    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = "auth.ini"
    no_auth.install()
    assert not hasattr(mlflow.server, "auth")
