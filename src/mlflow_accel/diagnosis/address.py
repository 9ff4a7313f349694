"""Understand a database URI, without ever repeating what may be a part of its password."""

from __future__ import annotations

from mlflow.store.db.db_types import DATABASE_ENGINES
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from mlflow_accel.diagnosis.findings import Finding, Level, Stop

FORMS = "postgresql://USER:PASSWORD@HOST:5432/DATABASE, mysql+pymysql://..., or sqlite:////path/mlflow.db"


def parse(uri: str) -> URL:
    """Return ``uri`` as SQLAlchemy reads it.

    Raises:
        Stop: it is not a URI of a database that MLflow stores runs in.
    """
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise Stop(_unreadable()) from None
    if "@" in f"{url.host or ''}{url.database or ''}" and url.get_backend_name() != "sqlite":
        raise Stop(_unreadable())
    if url.get_backend_name() not in DATABASE_ENGINES:
        renamed = url.get_backend_name() == "postgres"
        raise Stop(
            Finding(
                "address",
                Level.PROBLEM,
                f"the scheme {url.drivername!r} is not one of a database that MLflow stores runs in",
                "postgresql://, which is what SQLAlchemy calls it" if renamed else FORMS,
            )
        )
    return url


def _unreadable() -> Finding:
    return Finding(
        "address",
        Level.PROBLEM,
        "this is not a database URI, or its user or password holds a character that has a meaning in URIs",
        f"{FORMS}; in names and passwords @ is %40, : is %3A, / is %2F and % is %25",
        'python -c "import getpass, urllib.parse as u; print(u.quote_plus(getpass.getpass()))"',
    )
