"""What stands in a database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sqlalchemy
from sqlalchemy.pool import NullPool

Row = tuple[object, ...]


@cache
def engine(uri: str) -> sqlalchemy.Engine:
    """Return an engine that keeps no connection open: one would stop a database from being copied."""
    return sqlalchemy.create_engine(uri, poolclass=NullPool)


def tables(uri: str) -> list[str]:
    """Return the names of the tables of ``uri``."""
    return sorted(sqlalchemy.inspect(engine(uri)).get_table_names())


def rows(uri: str, conditions: Mapping[str, str], **values: object) -> dict[str, list[Row]]:
    """Return rows by table, in no particular order, each value as the driver gives it.

    ``conditions`` has for each table the SQL that selects its rows, or ``true``; ``values`` are bound to
    their ``:name`` parameters.
    """
    with engine(uri).connect() as connection:
        return {
            table: [
                tuple(row)
                for row in connection.execute(
                    sqlalchemy.text(f"SELECT * FROM {table} WHERE {condition}"), values
                )
            ]
            for table, condition in conditions.items()
        }


def all_rows(uri: str) -> dict[str, list[Row]]:
    """Return every row of every table."""
    return rows(uri, dict.fromkeys(tables(uri), "true"))
