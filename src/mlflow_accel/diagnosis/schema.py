"""Compare a database's revision, tables and keys with those of a fresh database of the installed MLflow."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from mlflow.version import VERSION
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex

from mlflow_accel.diagnosis.findings import Finding, Level, Stop
from mlflow_accel.sql import urls


def examine(connection: Connection) -> list[Finding]:
    """Return the findings about the schema.

    Raises:
        Stop: this is not a database of MLflow's, or not yet.
    """
    tables = {name for name in sa.inspect(connection).get_table_names() if not name.startswith("alembic_")}
    if not tables:
        raise Stop(_empty(connection))
    if "experiments" not in tables:
        raise Stop(_foreign(connection, tables))
    revision = _revision(connection)
    if revision.level is not Level.OK:
        return [revision]
    with _fresh_database() as fresh:
        wrong = list(_differences(_Keys.of(fresh), _Keys.of(connection), connection))
    wrong += _invalid_indexes(connection)
    if any(finding.level is Level.PROBLEM for finding in wrong):
        return [revision, *wrong]
    complete = Finding(
        "index", Level.OK, f"primary keys and indexes as in a fresh database of MLflow {VERSION}"
    )
    return [revision, *wrong, complete]


def _empty(connection: Connection) -> Finding:
    may_create = connection.dialect.name != "postgresql" or connection.scalar(
        sa.text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
    )
    if may_create:
        needed = "nothing: the tables will be created at the server's first start"
        return Finding("schema", Level.NOTE, "the database is empty", needed)
    user, schema = connection.execute(
        sa.text("SELECT current_user, coalesce(current_schema(), 'public')")
    ).one()
    quote = connection.dialect.identifier_preparer.quote
    return Finding(
        "schema",
        Level.PROBLEM,
        f"the database is empty, and {user} may not create tables in its schema {schema}",
        "the right to create the tables at the server's first start",
        f"GRANT CREATE ON SCHEMA {quote(schema)} TO {quote(user)};",
    )


def _foreign(connection: Connection, tables: set[str]) -> Finding:
    some = ", ".join(sorted(tables)[:3]) + (", ..." if len(tables) > 3 else "")
    server = connection.dialect.name != "sqlite"
    return Finding(
        "schema",
        Level.PROBLEM,
        f"another application's database: it holds {some}, and no experiments",
        "a database of MLflow's own; the server would create its tables beside the others",
        "CREATE DATABASE mlflow;" if server else "",
    )


def _revision(connection: Connection) -> Finding:
    """Compare the revision with the newest that the installed MLflow knows."""
    head = utils._get_latest_schema_revision()
    heads = MigrationContext.configure(connection).get_current_heads()
    if heads == (head,):
        return Finding("schema", Level.OK, f"revision {head}, that of MLflow {VERSION}")
    scripts = ScriptDirectory.from_config(utils._get_alembic_config(""))
    known = {script.revision for script in scripts.walk_revisions()}
    found = f"revision {', '.join(heads) or 'none'}, where MLflow {VERSION} has {head}"
    if known.issuperset(heads):
        command = f"mlflow-accel db upgrade {shlex.quote(urls.masked(connection.engine.url))}"
        return Finding(
            "schema", Level.PROBLEM, f"{found}: the database is behind", "a backup, then the upgrade", command
        )
    needed = f"the MLflow that upgraded it, or a newer one: {VERSION} refuses to start with it"
    return Finding(
        "schema",
        Level.PROBLEM,
        f"{found}: the database is ahead",
        needed,
        "pip install --upgrade mlflow-accel",
    )


@contextmanager
def _fresh_database() -> Iterator[Connection]:
    """Make a database of the installed MLflow, in memory.

    Its migrations are the only truth there is: the tables that upstream's models declare have an index that
    no migration creates, and lack some that one does. SQLite and PostgreSQL get the same keys: a test
    asserts it.
    """
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    before = logging.root.manager.disable
    logging.disable(
        logging.WARNING
    )  # "Running upgrade ..." would be about another database than the operator's
    try:
        utils._initialize_tables(engine)
        with engine.connect() as connection:
            yield connection
    finally:
        logging.disable(before)
        engine.dispose()


@dataclass(frozen=True)
class _Index:
    table: str
    name: str
    columns: tuple[str, ...]
    unique: bool
    partial: bool = False

    def serves(self, wanted: _Index) -> bool:
        """Return whether this does what ``wanted`` does, whatever it is called."""
        if self.partial:  # upstream's own partial index is a whole one on SQLite
            return self.name == wanted.name
        if wanted.unique:
            return self.unique and sorted(self.columns) == sorted(wanted.columns)
        return self.columns == wanted.columns

    def begins_like(self, wanted: _Index) -> bool:
        """Return whether lookups by the columns of ``wanted`` can use this longer index."""
        return (
            not self.partial and not wanted.unique and self.columns[: len(wanted.columns)] == wanted.columns
        )


@dataclass(frozen=True)
class _Keys:
    """The primary keys and the indexes (unique constraints among them) of a database."""

    primary: dict[str, tuple[str, ...]]
    indexes: tuple[_Index, ...]

    @classmethod
    def of(cls, connection: Connection) -> _Keys:
        """Read them from the database itself."""
        inspector = sa.inspect(connection)
        primary = {
            table: tuple(key["constrained_columns"])
            for (_, table), key in inspector.get_multi_pk_constraint().items()
            if key
        }
        indexes = [
            _Index(table, index["name"] or "", _columns(index), bool(index["unique"]), _is_partial(index))
            for (_, table), found in inspector.get_multi_indexes().items()
            for index in found
        ]
        indexes += [
            _Index(table, constraint["name"] or "", tuple(constraint["column_names"]), True)
            for (_, table), found in _unique_constraints(inspector)
            for constraint in found
        ]
        return cls(primary, tuple(indexes))

    def on(self, table: str) -> list[_Index]:
        """Return what serves lookups in ``table``: its indexes, and its primary key."""
        found = [index for index in self.indexes if index.table == table]
        return [*found, _Index(table, "PRIMARY KEY", self.primary.get(table, ()), True)]


def _columns(index: Any) -> tuple[str, ...]:
    return tuple(name or "" for name in index["column_names"])  # an expression has no name


def _is_partial(index: Any) -> bool:
    return any(option.endswith("_where") for option in index.get("dialect_options", {}))


def _unique_constraints(inspector: Any) -> Iterable[Any]:
    try:
        return inspector.get_multi_unique_constraints().items()  # type: ignore[no-any-return]
    except NotImplementedError:  # SQL Server: they are among the indexes
        return ()


def _differences(fresh: _Keys, actual: _Keys, connection: Connection) -> Iterator[Finding]:
    missing = sorted(fresh.primary.keys() - actual.primary.keys())
    if missing:
        needed = (
            "the tables of this revision; an upgrade stopped halfway. Restore the backup, and upgrade again"
        )
        yield Finding("schema", Level.PROBLEM, f"tables are missing: {', '.join(missing)}", needed)
    for table in sorted(fresh.primary.keys() & actual.primary.keys()):
        if sorted(fresh.primary[table]) != sorted(actual.primary[table]):
            yield _wrong_primary_key(table, fresh.primary[table], actual.primary[table], connection)
        yield from _missing_indexes(
            [i for i in fresh.indexes if i.table == table], actual.on(table), connection
        )


def _missing_indexes(wanted: list[_Index], found: list[_Index], connection: Connection) -> Iterator[Finding]:
    """Report what is missing on one table: an index counts once, for its namesake or else for another."""
    present = {i.name for i in wanted for f in found if f.name == i.name and f.serves(i)}
    others = [f for f in found if f.name not in present]
    for index in wanted:
        if index.name not in present and not any(other.serves(index) for other in others):
            longer = next((f for f in found if f.begins_like(index)), None)
            yield _missing_index(index, longer, connection)


def _wrong_primary_key(
    table: str, wanted: tuple[str, ...], found: tuple[str, ...], connection: Connection
) -> Finding:
    quote = connection.dialect.identifier_preparer.quote
    needed, command = f"({', '.join(wanted)})", ""
    if connection.dialect.name == "sqlite":
        needed += "; SQLite cannot add one: copy the rows into a fresh database"
    elif not found:
        command = f"ALTER TABLE {quote(table)} ADD PRIMARY KEY ({', '.join(map(quote, wanted))});"
    is_ = f"is ({', '.join(found)})" if found else "is missing"
    return Finding("primary key", Level.PROBLEM, f"the primary key of {table} {is_}", needed, command)


def _missing_index(wanted: _Index, longer: _Index | None, connection: Connection) -> Finding:
    shown = f"{wanted.name} on {wanted.table} ({', '.join(wanted.columns)})"
    command = _create_index(wanted, connection)
    if longer is not None:
        found = f"missing: {shown}; {longer.name} ({', '.join(longer.columns)}) serves instead"
        return Finding("index", Level.NOTE, found, "nothing", command)
    effect = (
        "values may repeat that must not"
        if wanted.unique
        else "each lookup by these columns reads the whole table"
    )
    return Finding("index", Level.PROBLEM, f"missing: {shown}; {effect}", "the index", command)


def _create_index(wanted: _Index, connection: Connection) -> str:
    """Return the statement that creates an index, with upstream's own options for this database."""
    declared = utils.Base.metadata.tables.get(wanted.table)
    for index in declared.indexes if declared is not None else ():
        if index.name == wanted.name and tuple(column.name for column in index.columns) == wanted.columns:
            break
    else:
        table = sa.Table(wanted.table, sa.MetaData(), *(sa.Column(name) for name in wanted.columns))
        index = sa.Index(wanted.name, *table.columns, unique=wanted.unique)
    statement = " ".join(str(CreateIndex(index).compile(dialect=connection.dialect)).split())
    if connection.dialect.name == "postgresql":
        statement = statement.replace("INDEX", "INDEX CONCURRENTLY", 1)
    return statement + ";"


def _invalid_indexes(connection: Connection) -> list[Finding]:
    """Find what an interrupted CREATE INDEX CONCURRENTLY leaves on PostgreSQL: kept, but never used."""
    if connection.dialect.name != "postgresql":
        return []
    names = connection.scalars(
        sa.text(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
            "WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace ORDER BY 1"
        )
    )
    return [
        Finding(
            "index",
            Level.PROBLEM,
            f"{name} is invalid: PostgreSQL does not use it",
            "a rebuilt index",
            f"REINDEX INDEX CONCURRENTLY {name};",
        )
        for name in names
    ]
