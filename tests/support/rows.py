"""What stands in a database."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy
from sqlalchemy.pool import NullPool

Row = tuple[object, ...]


def tables(uri: str) -> list[str]:
    """Return the names of the tables of ``uri``."""
    engine = sqlalchemy.create_engine(uri, poolclass=NullPool)
    return sorted(sqlalchemy.inspect(engine).get_table_names())


def rows(uri: str, names: Iterable[str], where: str = "", **values: object) -> dict[str, list[Row]]:
    """Return the rows of the tables ``names``, in no particular order, each value as the driver gives it.

    ``where`` is SQL that holds in every one of them; ``values`` are bound to its ``:name`` parameters.
    """
    condition = f" WHERE {where}" if where else ""
    engine = sqlalchemy.create_engine(uri, poolclass=NullPool)
    with engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sqlalchemy.text(f"SELECT * FROM {name}{condition}"), values)]
            for name in names
        }
