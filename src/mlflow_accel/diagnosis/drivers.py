"""Which driver a URI asks for, whether it is installed, and whether others can go on while it waits."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version
from sqlalchemy import URL
from sqlalchemy.exc import NoSuchModuleError

from mlflow_accel.diagnosis.findings import Finding, Level, Stop
from mlflow_accel.store.writer import DIALECTS

PSYCOPG = Version("3.1.14")
"""The first release that waits through gevent whatever it waits for."""

POSTGRESQL = "pip install 'mlflow-accel[postgresql]'"
MYSQL = "pip install 'mlflow-accel[mysql]'"

INSTALL = {
    "psycopg": POSTGRESQL,
    "psycopg2": "pip install psycopg2-binary",
    "pg8000": "pip install pg8000",
    "pymysql": MYSQL,
    "pyodbc": "pip install pyodbc",
    "pymssql": "pip install pymssql",
}

WAIT_IN_C = {"mysqlconnector", "pyodbc", "pymssql"}
"""Drivers whose waits gevent cannot see: the whole worker waits with them."""

DISTRIBUTIONS = {"mysqldb": "mysqlclient", "mysqlconnector": "mysql-connector-python"}
"""Where it is not the driver's own name."""


def examine(url: URL) -> list[Finding]:
    """Return the findings about the driver of ``url``.

    Raises:
        Stop: it is unknown, not installed, or not one that MLflow can use.
    """
    try:
        dialect = url.get_dialect()
    except NoSuchModuleError:
        raise Stop(_unknown(url)) from None
    driver = dialect.driver
    if getattr(dialect, "is_async", False):
        raise Stop(Finding("driver", Level.PROBLEM, f"{driver} is for asyncio, MLflow is not", *_other(url)))
    try:
        dialect.import_dbapi()
    except ImportError:
        found = f"{driver} is not installed"
        remedy = ("the driver", INSTALL[driver]) if driver in INSTALL else _other(url)
        raise Stop(Finding("driver", Level.PROBLEM, found, *remedy)) from None
    findings = [_installed(url, driver)]
    if dialect.name not in DIALECTS:
        findings.append(
            Finding(
                "driver",
                Level.NOTE,
                f"{dialect.name} has no fast path: requests are answered by MLflow's own code",
                f"nothing; the fast paths are for {' and '.join(sorted(DIALECTS))}",
            )
        )
    return findings


def _installed(url: URL, driver: str) -> Finding:
    if driver == "pysqlite":
        return Finding("driver", Level.OK, "sqlite3, called in threads")
    found = _described(driver)
    if driver == "psycopg" and Version(version("psycopg")) < PSYCOPG:
        return Finding("driver", Level.PROBLEM, found, f"psycopg {PSYCOPG} or later", POSTGRESQL)
    if driver == "mysqldb":
        return Finding("driver", Level.OK, f"{found}, called in threads")
    if driver in WAIT_IN_C:
        waits = f"{found} waits in C: while one request waits for the database, its worker answers no other"
        return Finding("driver", Level.NOTE, waits, *_other(url))
    return Finding("driver", Level.OK, found)


def _described(driver: str) -> str:
    try:
        return f"{driver} {version(DISTRIBUTIONS.get(driver, driver))}"
    except PackageNotFoundError:  # psycopg2 has several distributions, others are named otherwise
        return driver


def _other(url: URL) -> tuple[str, str]:
    """Return what to use instead of the driver of ``url``, and the command."""
    if url.get_backend_name() == "postgresql":
        return "a URI that begins postgresql+psycopg://", POSTGRESQL
    if url.get_backend_name() == "mysql":
        return "a URI that begins mysql+pymysql://", MYSQL
    return "threads instead of gevent", "gunicorn -k gthread --threads 16 mlflow_accel.app"


def _unknown(url: URL) -> Finding:
    found = f"SQLAlchemy knows no driver {url.drivername!r}"
    return Finding("driver", Level.PROBLEM, found, *_other(url))
