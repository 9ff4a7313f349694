def apply_all(seams):
    import mlflow.store.db.utils as u, mlflow.store.jobs.sqlalchemy_store as j, mlflow.store.model_registry.sqlalchemy_store as r, mlflow.server.workspace_helpers as w
    import mlflow.server as srv
    from mlflow_accel.store.engines import tuned_engine
    from mlflow_accel.store.sessions import managed_session_maker
    from mlflow_accel.server.workspace import teardown
    u.create_sqlalchemy_engine = tuned_engine(u.create_sqlalchemy_engine)
    m = managed_session_maker(u._get_managed_session_maker)
    for x in (u, j, r): x._get_managed_session_maker = m
    w.workspace_teardown_request_handler = teardown(w.workspace_teardown_request_handler)
def apply_routes(app):
    from mlflow_accel.server import views
    for e, f in (("_log_metric", views.log_metric), ("_log_batch", views.log_batch), ("health", views.health), ("_get_server_info", views.server_info)):
        app.view_functions[e] = f(app.view_functions[e])
