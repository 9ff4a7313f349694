"""Check a database before, or while, a server uses it. Nothing is changed: see ``reach``."""

from __future__ import annotations

from mlflow_accel.diagnosis import address, drivers, pools, reach, schema, sqlite_files
from mlflow_accel.diagnosis.findings import Finding, Stop


def examine(uri: str, workers: int) -> list[Finding]:
    """Return the findings about the database at ``uri`` for a server of ``workers`` workers.

    No finding holds the password. Takes seconds at most, whatever is at the other end.
    """
    findings: list[Finding] = []
    try:
        url = address.parse(uri)
        findings += drivers.examine(url)
        engine = reach.engine(uri, url)
        findings += sqlite_files.examine(url)
        with reach.connect(engine) as connection:
            findings.append(reach.reached(connection))
            findings += schema.examine(connection)
            findings += pools.examine(connection, workers)
    except Stop as stop:
        findings.append(stop.finding)
    return findings
