"""A password's hash is computed in a thread, where requests are greenlets, and in upstream's auth store."""

from __future__ import annotations

import sys

from tests.patches.interpreter import isolated


@isolated
def test_a_greenlet_goes_on_while_a_hash_is_computed() -> None:
    from gevent import monkey

    monkey.patch_all()
    import gevent

    from mlflow_accel.server import passwords

    # A lock of the system's: whoever waits for it in the hub's thread waits for good.
    lock = monkey.get_original("_thread", "allocate_lock")()
    lock.acquire()

    def compute(password: str) -> str:
        assert lock.acquire(timeout=30), "the hub's own thread computed, and could not let go"
        return password[::-1]

    computing = gevent.spawn(passwords.in_thread(compute), "abc")
    gevent.sleep(0)
    lock.release()
    assert computing.get(timeout=30) == "cba"


@isolated
def test_upstreams_auth_store_computes_with_ours() -> None:
    import os

    os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "for the test"
    from mlflow_accel.server import passwords

    passwords.install()
    assert passwords.STORE not in sys.modules
    import mlflow.server.auth.sqlalchemy_store as store
    from werkzeug import security

    passwords.install()
    assert store.check_password_hash.__wrapped__ is security.check_password_hash
    assert store.check_password_hash(store.generate_password_hash("secret"), "secret")
