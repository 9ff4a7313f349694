"""``mlflow-accel doctor``: what it finds in real databases, and that it leaves them as they are."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from packaging.version import Version
from psycopg import sql

from mlflow_accel.commands import cli
from mlflow_accel.diagnosis import drivers, reach
from mlflow_accel.diagnosis.address import parse
from mlflow_accel.diagnosis.examination import examine
from mlflow_accel.diagnosis.findings import Finding, Level, Stop
from mlflow_accel.sql import file_systems, urls
from tests.support.databases import SqliteDatabases
from tests.support.postgres import PostgresDatabases
from tests.support.processes import free_port

PASSWORD = "hunter2"
NOBODY = 65534

_names = count()


def file_of(uri: str) -> Path:
    """Return the file of a SQLite URI."""
    return Path(uri.removeprefix("sqlite:///"))


def run(uri: str, *statements: str) -> None:
    """Run statements in the database, each in a transaction of its own."""
    engine = sa.create_engine(uri, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def only(found: list[Finding], check: str) -> Finding:
    """Return the one finding of a check."""
    (finding,) = [finding for finding in found if finding.check == check]
    return finding


def problems(found: list[Finding]) -> list[Finding]:
    """Return the findings that are problems."""
    return [finding for finding in found if finding.level is Level.PROBLEM]


@pytest.fixture
def new_postgres(postgres_uri: str) -> str:
    """The URI of a PostgreSQL database without tables."""
    name = f"doctor_{next(_names)}"
    run(postgres_uri, f"CREATE DATABASE {name}")
    return sa.make_url(postgres_uri).set(database=name).render_as_string(hide_password=False)


# A database as it should be


def test_a_fresh_database_has_no_problem(database_uri: str) -> None:
    found = examine(database_uri, workers=2)
    assert problems(found) == []
    assert only(found, "schema").level is Level.OK
    # One finding: PostgreSQL's indexes are those of the SQLite database they are compared with.
    assert only(found, "index").level is Level.OK


@pytest.mark.parametrize("wal", [False, True], ids=["rollback journal", "WAL"])
def test_a_sqlite_file_is_left_as_it_is(sqlite_uri: str, wal: bool) -> None:
    file = file_of(sqlite_uri)
    if wal:
        run(sqlite_uri, "PRAGMA journal_mode = WAL")
    before = file.read_bytes(), sorted(file.parent.iterdir())
    assert "WAL" in only(examine(sqlite_uri, 4), "journal").found or not wal
    assert (file.read_bytes(), sorted(file.parent.iterdir())) == before


def test_what_a_running_writer_has_in_its_log_is_seen(sqlite_uri: str) -> None:
    writer = sqlite3.connect(file_of(sqlite_uri))
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("DROP INDEX index_params_run_uuid")
    writer.commit()
    (finding,) = problems(examine(sqlite_uri, 4))
    writer.close()
    assert "index_params_run_uuid" in finding.found


def test_a_connection_cannot_write(database_uri: str) -> None:
    engine = reach.engine(database_uri, sa.make_url(database_uri))
    with reach.connect(engine) as connection, pytest.raises(sa.exc.DBAPIError, match="read-?only"):
        connection.execute(sa.text("DELETE FROM experiments"))


# Revisions


def test_behind(database_uri: str) -> None:
    run(database_uri, "UPDATE alembic_version SET version_num = '1bd49d398cd23'")
    (finding,) = problems(examine(database_uri, 4))
    assert finding.check == "schema"
    assert "1bd49d398cd23" in finding.found and "behind" in finding.found
    assert finding.command.startswith("mlflow-accel db upgrade ")


def test_before_alembic(database_uri: str) -> None:
    run(database_uri, "DROP TABLE alembic_version")
    (finding,) = problems(examine(database_uri, 4))
    assert "revision none" in finding.found and "behind" in finding.found


def test_ahead(database_uri: str) -> None:
    run(database_uri, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    (finding,) = problems(examine(database_uri, 4))
    assert "ahead" in finding.found
    assert "db upgrade" not in finding.command


def test_an_empty_file_will_be_filled(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.touch()
    found = examine(f"sqlite:///{file}", 4)
    assert problems(found) == []
    assert "created at the server's first start" in only(found, "schema").needed
    assert file.stat().st_size == 0


def test_an_empty_database_will_be_filled(new_postgres: str) -> None:
    found = examine(new_postgres, 4)
    assert problems(found) == []
    assert "created at the server's first start" in only(found, "schema").needed


def test_an_empty_database_that_may_not_be_filled(new_postgres: str) -> None:
    user = f"visitor_{next(_names)}"
    run(new_postgres, f"CREATE ROLE {user} LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    theirs = sa.make_url(new_postgres).set(username=user).render_as_string(hide_password=False)
    (finding,) = problems(examine(theirs, 4))
    assert user in finding.found
    run(new_postgres, finding.command)
    assert problems(examine(theirs, 4)) == []


def test_another_applications_database(new_postgres: str, tmp_path: Path) -> None:
    for uri in (new_postgres, f"sqlite:///{tmp_path / 'other.db'}"):
        run(uri, "CREATE TABLE dag_run (id integer)", "CREATE TABLE alembic_version (version_num text)")
        (finding,) = problems(examine(uri, 4))
        assert "another application's" in finding.found and "dag_run" in finding.found


# Keys and indexes


def test_a_dropped_index_is_found_and_mended(database_uri: str) -> None:
    run(database_uri, "DROP INDEX index_params_run_uuid")
    (finding,) = problems(examine(database_uri, 4))
    assert "index_params_run_uuid on params (run_uuid)" in finding.found
    run(database_uri, finding.command)
    assert problems(examine(database_uri, 4)) == []


def test_an_index_of_another_name_serves(database_uri: str) -> None:
    run(database_uri, "DROP INDEX index_params_run_uuid", "CREATE INDEX ours ON params (run_uuid)")
    assert only(examine(database_uri, 4), "index").level is Level.OK


def test_an_index_for_some_rows_does_not_serve(database_uri: str) -> None:
    run(
        database_uri,
        "DROP INDEX index_params_run_uuid",
        "CREATE INDEX ours ON params (run_uuid) WHERE key = 'lr'",
    )
    assert only(problems(examine(database_uri, 4)), "index").found.startswith(
        "missing: index_params_run_uuid"
    )


def test_a_longer_index_that_serves_instead_is_a_note(database_uri: str) -> None:
    run(database_uri, "DROP INDEX index_metrics_run_uuid")
    found = examine(database_uri, 4)
    assert problems(found) == []
    (note,) = [f for f in found if f.check == "index" and f.level is Level.NOTE]
    assert "index_metrics_run_uuid_key_step" in note.found


def test_upstreams_own_options_are_kept(postgres_uri: str) -> None:
    run(postgres_uri, "DROP INDEX idx_spans_cost_exp_time_cover")
    (note,) = [f for f in examine(postgres_uri, 4) if f.check == "index" and f.level is Level.NOTE]
    assert "INCLUDE" in note.command and "WHERE" in note.command and "CONCURRENTLY" in note.command
    run(postgres_uri, note.command)
    assert only(examine(postgres_uri, 4), "index").level is Level.OK


def test_a_dropped_unique_constraint_is_found_and_mended(postgres_uri: str) -> None:
    run(postgres_uri, "ALTER TABLE experiments DROP CONSTRAINT uq_experiments_workspace_name")
    (finding,) = problems(examine(postgres_uri, 4))
    assert "values may repeat" in finding.found
    run(postgres_uri, finding.command)
    assert problems(examine(postgres_uri, 4)) == []


def test_a_dropped_primary_key_is_found_and_mended(postgres_uri: str) -> None:
    run(postgres_uri, "ALTER TABLE tags DROP CONSTRAINT tag_pk")
    (finding,) = problems(examine(postgres_uri, 4))
    assert finding.check == "primary key" and "tags is missing" in finding.found
    run(postgres_uri, finding.command)
    assert problems(examine(postgres_uri, 4)) == []


def test_a_missing_primary_key_of_a_file(sqlite_uri: str) -> None:
    run(
        sqlite_uri,
        "CREATE TABLE copy AS SELECT * FROM params",
        "DROP TABLE params",
        "ALTER TABLE copy RENAME TO params",
    )
    found = problems(examine(sqlite_uri, 4))
    assert {f.check for f in found} == {"primary key", "index"}
    assert only(found, "primary key").command == ""


def test_an_invalid_index_is_found_and_mended(postgres_uri: str) -> None:
    run(
        postgres_uri,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'index_tags_run_uuid'::regclass",
    )
    (finding,) = problems(examine(postgres_uri, 4))
    assert "index_tags_run_uuid is invalid" in finding.found
    run(postgres_uri, finding.command)
    assert problems(examine(postgres_uri, 4)) == []


def test_missing_tables(database_uri: str) -> None:
    run(database_uri, "DROP TABLE trace_metrics")
    (finding,) = problems(examine(database_uri, 4))
    assert finding.found == "tables are missing: trace_metrics"


# Connections


def test_more_connections_than_the_server_has(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = only(examine(postgres_uri, workers=10), "pool")
    assert finding.level is Level.PROBLEM
    assert "up to 450 connections" in finding.found and "max_connections 300" in finding.found
    for setting in finding.command.removeprefix("export ").split():
        monkeypatch.setenv(*setting.split("="))
    assert only(examine(postgres_uri, workers=10), "pool").level is Level.OK


def test_more_workers_than_connections(postgres_uri: str) -> None:
    finding = only(examine(postgres_uri, workers=200), "pool")
    assert finding.level is Level.PROBLEM and "--workers " in finding.command


@pytest.mark.parametrize("what", ["DATABASE", "ROLE"])
def test_a_limit_below_the_servers(new_postgres: str, what: str) -> None:
    url = sa.make_url(new_postgres)
    user = f"limited_{next(_names)}"
    name = url.database if what == "DATABASE" else user
    run(
        new_postgres,
        f"CREATE ROLE {user} LOGIN",
        "CREATE TABLE experiments (id int)",
        f"ALTER {what} {name} CONNECTION LIMIT 7",
    )
    theirs = url.set(username=user).render_as_string(hide_password=False)
    finding = only(examine(theirs, workers=1), "pool")
    assert (
        finding.level is Level.PROBLEM
        and "room for 7" in finding.found
        and "CONNECTION LIMIT" in finding.found
    )


def test_only_others_connections_are_in_use(postgres_uri: str, new_postgres: str) -> None:
    def room() -> str:
        return only(examine(postgres_uri, 4), "pool").found.partition("room for ")[2]

    before = room()
    with psycopg.connect(postgres_uri):
        assert room() == before
    with psycopg.connect(new_postgres):
        assert room() != before


def test_an_auth_database_on_the_same_server(
    postgres_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "auth.ini"
    config.write_text(f"[mlflow]\ndatabase_uri = {postgres_uri}\n")
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", str(config))
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    found = only(examine(postgres_uri, 1), "pool").found
    assert "5 engines (tracking, registry, jobs, workspaces, auth)" in found


def test_a_pool_without_a_bound(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    assert only(examine(postgres_uri, 4), "pool").level is Level.NOTE
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NoSuchPool")
    assert only(examine(postgres_uri, 4), "pool").level is Level.PROBLEM


# SQLite files


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    found = examine(f"sqlite:///{tmp_path}/new/mlflow.db", 4)
    assert problems(found) == []
    assert only(found, "file").level is Level.NOTE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_a_database_in_memory(uri: str) -> None:
    assert "in memory" in only(examine(uri, 4), "file").found


def test_not_a_database_file(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_text("no database, but long enough to be taken for one" * 100)
    assert "not a database" in only(examine(f"sqlite:///{file}", 4), "connection").found


def test_a_locked_file(sqlite_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "CONNECT_SECONDS", 0.1)
    holder = sqlite3.connect(file_of(sqlite_uri), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    finding = only(examine(sqlite_uri, 4), "connection")
    holder.close()
    assert "locked" in finding.found and "fuser" in finding.command


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], None]]:
    """Return how to stop being root, to whom permissions mean nothing; undone at the end."""
    user = os.geteuid()

    def drop() -> None:
        if user == 0:
            os.seteuid(NOBODY)

    yield drop
    os.seteuid(user)


@pytest.fixture
def readable(sqlite_uri: str) -> Iterator[Path]:
    """A copy of a database that others may reach and read, and its owner alone write."""
    folder = Path(tempfile.mkdtemp())
    file = Path(shutil.copyfile(file_of(sqlite_uri), folder / "mlflow.db"))
    file.chmod(0o444)
    folder.chmod(0o555)
    yield file
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_file_that_may_not_be_written(readable: Path, unprivileged: Callable[[], None]) -> None:
    unprivileged()
    (finding,) = problems(examine(f"sqlite:///{readable}", 4))
    assert finding.check == "file" and finding.command.startswith("chown ")
    assert f"{readable.parent}, {readable}" in finding.found


def test_a_file_that_may_not_be_created(readable: Path, unprivileged: Callable[[], None]) -> None:
    unprivileged()
    (finding,) = problems(examine(f"sqlite:///{readable.parent}/other/mlflow.db", 4))
    assert str(readable.parent) in finding.found


def test_a_file_that_may_not_be_read(readable: Path, unprivileged: Callable[[], None]) -> None:
    readable.chmod(0o000)
    unprivileged()
    (finding,) = problems(examine(f"sqlite:///{readable}", 4))
    assert "may not read" in finding.found


@pytest.mark.parametrize(("wal", "level"), [(False, Level.NOTE), (True, Level.PROBLEM)])
def test_a_file_on_a_network(
    sqlite_uri: str, tmp_path: Path, wal: bool, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wal:
        run(sqlite_uri, "PRAGMA journal_mode = WAL")
    mounts = tmp_path / "mounts"
    mounts.write_text("server:/export / nfs4 rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)
    finding = only(examine(sqlite_uri, 4), "journal")
    assert finding.level is level and "nfs4" in finding.found


# Addresses and drivers


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    for scheme, client in (("postgresql", "psql"), ("mysql+pymysql", "mysql")):
        finding = only(examine(f"{scheme}://user:{PASSWORD}@127.0.0.1:{port}/mlflow", 4), "connection")
        assert finding.level is Level.PROBLEM and str(port) in finding.found
        assert finding.command.startswith(client)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2", "mysql+pymysql"])
def test_somebody_listens_and_never_answers(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"{scheme}://user:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/mlflow"
        assert only(examine(uri, 4), "connection").level is Level.PROBLEM


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mysql+nosuch://u:p@h/d", "knows no driver"),
        ("mysql+mysqlconnector://u:p@h/d", "mysqlconnector is not installed"),
        ("mssql+pyodbc://u:p@h/d", "pyodbc is not installed"),
        ("postgresql+asyncpg://u:p@h/d", "is for asyncio"),
    ],
)
def test_drivers_that_cannot_be_used(uri: str, said: str) -> None:
    finding = only(examine(uri, 4), "driver")
    assert finding.level is Level.PROBLEM and said in finding.found
    assert finding.command.startswith("pip install ")


def test_a_driver_that_is_too_old(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "PSYCOPG", Version("99"))
    finding = only(examine(postgres_uri, 4), "driver")
    assert finding.level is Level.PROBLEM and "psycopg 99 or later" in finding.needed


def test_a_driver_that_waits_in_c(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    psycopg2 = postgres_uri.replace("postgresql://", "postgresql+psycopg2://")
    assert only(examine(psycopg2, 4), "driver").level is Level.OK
    monkeypatch.setattr(drivers, "WAIT_IN_C", {"psycopg2"})
    finding = only(examine(psycopg2, 4), "driver")
    assert finding.level is Level.NOTE and "postgresql+psycopg://" in finding.needed


@pytest.mark.parametrize(
    "uri", ["./mlruns", "http://127.0.0.1:5000", "databricks", "postgres://u:p@h/d", "oracle://u@h/d"]
)
def test_uris_of_no_database(uri: str) -> None:
    assert only(examine(uri, 4), "address").level is Level.PROBLEM


# What is secret


@pytest.fixture
def locked_out(postgres_databases: PostgresDatabases, postgres_uri: str) -> str:
    """The URI of a user whose password it does not have."""
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        user = f"locked_{next(_names)}"
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'other'").format(sql.Identifier(user)))
        (hba,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        Path(hba).write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{Path(hba).read_text()}")
        connection.execute("SELECT pg_reload_conf()")
    url = sa.make_url(postgres_uri).set(username=user, password=PASSWORD)
    return url.render_as_string(hide_password=False)


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_a_wrong_password_is_not_shown(locked_out: str, form: list[str]) -> None:
    shown = CliRunner().invoke(cli, ["doctor", locked_out, *form])
    assert shown.exit_code == 1
    assert "password authentication failed" in shown.output
    assert "***" in shown.output and PASSWORD not in shown.output


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://user:a@{PASSWORD}@127.0.0.1:1/mlflow",
        f"postgresql://user:a@{PASSWORD}:b@127.0.0.1:1/mlflow",
        f"postgresql://127.0.0.1:1/mlflow?user=u&password={PASSWORD}",
        f"postgresql://user:{PASSWORD}@127.0.0.1:x/mlflow",
        f"postgresql://user:{PASSWORD}@127.0.0.1:1/mlflow?nosuch=1",
        f"mysql+nosuch://user:{PASSWORD}@127.0.0.1/mlflow",
        f"mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3D{PASSWORD}",
        f"nosuch://user:{PASSWORD}@127.0.0.1/mlflow",
        f"user:{PASSWORD}@127.0.0.1/mlflow",
    ],
)
def test_no_part_of_a_uri_gives_the_password_away(uri: str) -> None:
    shown = CliRunner().invoke(cli, ["doctor", uri])
    assert shown.exit_code == 1 and shown.exception.__class__ is SystemExit
    assert PASSWORD not in shown.output


def test_masked_urls_keep_the_rest() -> None:
    url = parse(f"postgresql://user:{PASSWORD}@h:5432/d?sslmode=require&sslpassword={PASSWORD}")
    assert urls.masked(url) == "postgresql://user:***@h:5432/d?sslmode=require&sslpassword=***"
    assert urls.without_secrets(url) == "postgresql://user@h:5432/d?sslmode=require"
    assert urls.secrets(url) == [PASSWORD, PASSWORD]
    with pytest.raises(Stop):
        parse(f"postgresql://user:x@{PASSWORD}@h/d")


# The command


def test_the_command(sqlite_uri: str) -> None:
    shown = CliRunner().invoke(cli, ["doctor", sqlite_uri])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.output
    assert any(line.startswith("ok ") and sqlite_uri in line for line in shown.output.splitlines())
    run(sqlite_uri, "DROP INDEX index_params_run_uuid")
    shown = CliRunner().invoke(cli, ["doctor", sqlite_uri])
    assert shown.exit_code == 1
    assert "\n  index: CREATE INDEX index_params_run_uuid ON params (run_uuid);\n" in shown.output


def test_the_command_for_programs(sqlite_uri: str) -> None:
    run(sqlite_uri, "DROP INDEX index_params_run_uuid")
    shown = CliRunner().invoke(cli, ["doctor", sqlite_uri, "--json"])
    assert shown.exit_code == 1
    findings = json.loads(shown.stdout)["findings"]
    assert {tuple(finding) for finding in findings} == {("check", "level", "found", "needed", "command")}
    assert [f["check"] for f in findings if f["level"] == "problem"] == ["index"]


def test_without_a_uri_it_is_upstreams(sqlite_databases: SqliteDatabases) -> None:
    shown = CliRunner().invoke(cli, ["doctor", "--mask-envs"])
    assert shown.exit_code == 0 and "MLflow version" in shown.output
    assert CliRunner().invoke(cli, ["doctor", "--json"]).exit_code == 2
