"""MySQL's and MariaDB's statements: one per table and group, over rows of literals, through any driver.

Their collations find 'Loss' where 'loss' is meant, and so do the primary keys. Every statement that meets a row with
its key compares the two byte by byte, and fails if they differ: the write is left to upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# Reads that lock see what others have committed, whatever the isolation level. The lock is the one that the foreign
# keys of the rows to come would take, and all are taken at once, in one order. The workspace is read by a subquery,
# which locks nothing: writers to one experiment do not wait for each other.
RUNS = """
SELECT r.run_uuid, r.experiment_id FROM runs r
WHERE r.run_uuid IN %s AND r.lifecycle_stage = 'active'
ORDER BY r.run_uuid LOCK IN SHARE MODE
"""

_RUNS_IN_FULL = """
SELECT r.run_uuid, r.experiment_id,
    (SELECT e.workspace FROM experiments e WHERE e.experiment_id = r.experiment_id),
    r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri
FROM runs r
WHERE r.run_uuid IN %s AND r.lifecycle_stage = 'active'
ORDER BY r.run_uuid
"""

RUNS_IN_WORKSPACE = f"{_RUNS_IN_FULL} LOCK IN SHARE MODE"

RUNS_TO_CHANGE = f"{_RUNS_IN_FULL} FOR UPDATE"

EXPERIMENTS = """
SELECT e.experiment_id, e.workspace, e.artifact_location FROM experiments e
WHERE e.experiment_id IN %s AND e.lifecycle_stage = 'active'
ORDER BY e.experiment_id LOCK IN SHARE MODE
"""

NEW_RUNS = """
INSERT INTO runs (run_uuid, name, user_id, start_time, artifact_uri, experiment_id, source_type, source_name,
    entry_point_name, status, source_version, lifecycle_stage)
VALUES (%s, 'UNKNOWN', '', '', 'RUNNING', '', 'active')
"""

# The runs were locked when they were read: they are there.
CHANGED_RUNS = """
INSERT INTO runs (name, status, end_time, run_uuid) VALUES (%s)
ON DUPLICATE KEY UPDATE name = VALUES(name), status = VALUES(status), end_time = VALUES(end_time)
"""


def _same_key(table: str, value: str) -> str:
    """Return ``value`` where the stored key is the new one to the byte; elsewhere it overflows, in any SQL mode."""
    key = f"{table}.`key`"
    same = f"CAST({key} AS BINARY) = CAST(VALUES(`key`) AS BINARY)"
    return f"IF({same}, {value}, 9223372036854775807 + SIGN(LENGTH({key})))"


PARAMS = f"""
INSERT INTO params (run_uuid, `key`, value) VALUES (%s)
ON DUPLICATE KEY UPDATE value = {_same_key("params", "params.value")}
"""

PARAM_VALUES = """
SELECT p.run_uuid, p.`key`, p.value FROM params p WHERE (p.`key`, p.run_uuid) IN %s LOCK IN SHARE MODE
"""

# Not INSERT IGNORE, which ignores more than duplicates. A key that is another's twin is found by LATEST.
METRICS = """
INSERT INTO metrics (run_uuid, `key`, value, timestamp, step, is_nan) VALUES (%s)
ON DUPLICATE KEY UPDATE is_nan = metrics.is_nan
"""

_NEWER = """(VALUES(step), VALUES(timestamp), VALUES(value))
    > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)"""

# Assignments take effect one by one, so that what decides least comes first: once the value is replaced, it can no
# longer decide, but then step and timestamp, where they decide, still stand.
LATEST = f"""
INSERT INTO latest_metrics (run_uuid, `key`, value, timestamp, step, is_nan) VALUES (%s)
ON DUPLICATE KEY UPDATE
    is_nan = {_same_key("latest_metrics", f"IF({_NEWER}, VALUES(is_nan), latest_metrics.is_nan)")},
    value = IF({_NEWER}, VALUES(value), latest_metrics.value),
    timestamp = IF({_NEWER}, VALUES(timestamp), latest_metrics.timestamp),
    step = IF({_NEWER}, VALUES(step), latest_metrics.step)
"""

# No ON DUPLICATE KEY: upstream answers a second value at the same step with an error of its own.
MODEL_METRICS = """
INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value,
    experiment_id, run_id, dataset_name, dataset_digest) VALUES (%s)
"""

TAGS = f"""
INSERT INTO tags (run_uuid, `key`, value) VALUES (%s)
ON DUPLICATE KEY UPDATE value = {_same_key("tags", "VALUES(value)")}
"""

EXPERIMENT_TAGS = f"""
INSERT INTO experiment_tags (experiment_id, `key`, value) VALUES (%s)
ON DUPLICATE KEY UPDATE value = {_same_key("experiment_tags", "VALUES(value)")}
"""

DELETE_TAG = "DELETE FROM tags WHERE run_uuid = %s AND `key` = %s"

STAGE = "UPDATE runs SET lifecycle_stage = %s, deleted_time = %s WHERE run_uuid = %s"

RUN_OF_ANY_STAGE = """
SELECT e.workspace FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.run_uuid = %s
"""

ASSESSMENT_WITH = "SELECT 1 FROM assessments WHERE assessment_metadata LIKE CONCAT('%%', %s, '%%') LIMIT 1"

DATASETS = """
INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema,
    dataset_profile) VALUES (%s)
"""

DATASET_IDS = "SELECT name, digest, dataset_uuid FROM datasets WHERE experiment_id = %s AND name IN %s AND digest IN %s"

DATASETS_USED = """
SELECT source_id FROM inputs
WHERE source_type = 'DATASET' AND source_id IN %s AND destination_type = 'RUN' AND destination_id IN %s
"""

DATASET_INPUTS = """
INSERT INTO inputs (input_uuid, source_id, destination_id, source_type, destination_type)
VALUES (%s, 'DATASET', 'RUN')
"""

INPUT_TAGS = "INSERT INTO input_tags (input_uuid, name, value) VALUES (%s)"

# Upstream gives an input that is there a new id.
MODEL_INPUTS = """
INSERT INTO inputs (input_uuid, source_id, destination_id, source_type, destination_type)
VALUES (%s, 'RUN_INPUT', 'MODEL_INPUT')
ON DUPLICATE KEY UPDATE input_uuid = VALUES(input_uuid)
"""

MODEL_OUTPUTS = """
INSERT INTO inputs (input_uuid, source_id, destination_id, step, source_type, destination_type)
VALUES (%s, 'RUN_OUTPUT', 'MODEL_OUTPUT')
"""

LOCK_TIMEOUT_SECONDS = 1
"""How long a group waits for a row that another transaction holds; then its members go one by one. There is no less."""

_SET_LOCK_TIMEOUT = (
    "SET @mlflow_accel_lock_wait = @@innodb_lock_wait_timeout, "
    f"SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT_SECONDS}"
)
_RESET_LOCK_TIMEOUT = "SET SESSION innodb_lock_wait_timeout = @mlflow_accel_lock_wait"

RETRY = {1020, 1205, 1213}
"""Errors after which the same rows may well succeed: changed since it was read, lock timeout, deadlock."""

REFUSED = {1366, 1690, 3819, 4025}
"""Errors about the rows that drivers class with those about the connection: a text that the column's character set
does not have, a number out of range, a failed check (MySQL's, MariaDB's)."""

MAX_STATEMENT = 3_500_000
"""Characters after which another statement is begun: even of four bytes each they fit into MariaDB's default packet
of 16 MiB, and MySQL's is larger."""


def transact(connection: Any, work: Callable[[Any], T], in_group: bool) -> T:
    """Return ``work(cursor)``, run within a transaction that is committed after it, or rolled back."""
    with connection.cursor() as cursor:
        if in_group:
            cursor.execute(_SET_LOCK_TIMEOUT)
        cursor.execute("BEGIN")
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except connection.OperationalError as ex:
            _end(connection, cursor, in_group)
            if ex.args and ex.args[0] in REFUSED:
                raise connection.DataError(*ex.args) from ex
            raise
        except BaseException:
            _end(connection, cursor, in_group)
            raise
        if in_group:
            cursor.execute(_RESET_LOCK_TIMEOUT)
    return result


def _end(connection: Any, cursor: Any, in_group: bool) -> None:
    """Roll back; a connection that is lost is left to the pool, which knows it by the error that came first."""
    try:
        cursor.execute("ROLLBACK")
        if in_group:
            cursor.execute(_RESET_LOCK_TIMEOUT)
    except connection.Error:
        pass


def active_runs(
    cursor: Any, run_ids: list[str], with_workspace: bool, to_change: bool
) -> list[tuple[Any, ...]]:
    """Return the active ones of those runs, as the first fields of a ``RunRow``: all of them with either option, two
    without; they are locked, ``to_change`` against others' writes."""
    statement = RUNS_TO_CHANGE if to_change else RUNS_IN_WORKSPACE if with_workspace else RUNS
    cursor.execute(statement % _set(cursor, [run_ids]))
    return list(cursor.fetchall())


def active_experiments(cursor: Any, experiment_ids: list[int]) -> list[tuple[Any, ...]]:
    """Return ``(experiment_id, workspace, artifact_location)`` of those experiments that exist and are active."""
    cursor.execute(EXPERIMENTS % _set(cursor, [experiment_ids]))
    return list(cursor.fetchall())


def param_values(cursor: Any, columns: Sequence[list[Any]]) -> list[tuple[str, str, str]]:
    """Return ``(run_uuid, key, value)`` as stored, of the params named by ``columns`` (run_uuid, key)."""
    run_ids, keys = columns
    cursor.execute(PARAM_VALUES % _set(cursor, [keys, run_ids]))
    return list(cursor.fetchall())


def dataset_ids(cursor: Any, experiment_id: int, names: list[str], digests: list[str]) -> list[tuple[str, str, str]]:
    """Return ``(name, digest, dataset_uuid)`` of the experiment's data sets with one of those names and digests."""
    cursor.execute(DATASET_IDS % (experiment_id, _set(cursor, [names]), _set(cursor, [digests])))
    return list(cursor.fetchall())


def datasets_used(cursor: Any, run_id: str, dataset_uuids: list[str]) -> list[tuple[str]]:
    """Return those of the data sets that are inputs of the run."""
    cursor.execute(DATASETS_USED % (_set(cursor, [dataset_uuids]), _set(cursor, [[run_id]])))
    return list(cursor.fetchall())


def insert(cursor: Any, statement: str, columns: Sequence[list[Any]]) -> None:
    """Run one of the statements above, with one column per field of its rows."""
    head, _, tail = statement.partition("VALUES (%s")
    # What follows the fields within a row: constants of it.
    constants, tail = tail.split(")", 1)
    rows = [f"({row}{constants})" for row in _rows(cursor, columns)]
    for part in _parts(rows):
        cursor.execute(f"{head}VALUES {','.join(part)}{tail}")


def may_succeed_alone(error: BaseException) -> bool:
    """Return whether the same rows may well be stored by a later attempt: it was about locks, not about them."""
    # SQLAlchemy's errors carry the driver's.
    arguments = getattr(error, "orig", error).args
    return bool(arguments) and arguments[0] in RETRY


def _rows(cursor: Any, columns: Sequence[list[Any]]) -> Iterator[str]:
    return map(",".join, zip(*[_literals(cursor, column) for column in columns], strict=True))


def _set(cursor: Any, columns: Sequence[list[Any]]) -> str:
    rows = _rows(cursor, columns)
    return f"({','.join(rows if len(columns) == 1 else (f'({row})' for row in rows))})"


def _parts(rows: list[str]) -> Iterator[list[str]]:
    """Cut ``rows`` where a statement of them would be too long."""
    begin = length = 0
    for i, row in enumerate(rows):
        length += len(row) + 1
        if length > MAX_STATEMENT and i > begin:
            yield rows[begin:i]
            begin, length = i, len(row) + 1
    yield rows[begin:]


def _literals(cursor: Any, column: list[Any]) -> list[str]:
    """Return SQL for each value, as the drivers write it: texts, None, integers, and doubles that are finite.

    A text that comes again, as the ids of runs and the keys do, is escaped once.
    """
    texts: dict[str, str] = {}
    literals = []
    for value in column:
        if type(value) is str:
            literal = texts.get(value)
            if literal is None:
                literal = texts[value] = cursor.mogrify("%s", (value,))
            literals.append(literal)
        elif type(value) is float:
            # An exponent makes it a double; without one it would be a decimal.
            digits = repr(value)
            literals.append(digits if "e" in digits else digits + "e0")
        elif value is None:
            literals.append("NULL")
        else:
            literals.append(str(int(value)))
    return literals
