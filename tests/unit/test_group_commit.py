"""Group commit: who shares a commit, who gets which answer, and when."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from mlflow_accel.kernels.batch import Batch
from mlflow_accel.store.group_commit import GroupCommit
from mlflow_accel.store.writes import ExperimentTag, NewRun


@dataclass(frozen=True)
class Write:
    """A member of a group."""

    number: int
    rows: int = 1


class Database:
    """Records the groups that it is given; commits when it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.may_commit = threading.Semaphore(0)
        self.error: Exception | None = None

    def write(self, members: list[Write]) -> list[int]:
        """Answer each member with its number, after the commit."""
        self.groups.append([member.number for member in members])
        self.begun.release()
        assert self.may_commit.acquire(timeout=30)
        if self.error is not None:
            raise self.error
        return [member.number * 10 for member in members]


class Client(threading.Thread):
    """Submits one member, and keeps what it gets."""

    def __init__(self, commit: GroupCommit[Write, int], member: Write) -> None:
        super().__init__()
        self.answer: int | None = None
        self.error: BaseException | None = None
        self._commit, self._member = commit, member

    def run(self) -> None:
        """Submit the member."""
        try:
            self.answer = self._commit.submit(self._member)
        except BaseException as ex:
            self.error = ex


@pytest.fixture
def database() -> Database:
    return Database()


def waiting(commit: GroupCommit[Write, int], count: int) -> None:
    """Wait until ``count`` members wait for the next group."""
    for _ in range(30_000):
        if len(commit._waiting) == count:
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"{len(commit._waiting)} wait, not {count}")


def start(commit: GroupCommit[Write, int], *members: Write) -> list[Client]:
    """Start a client for each member, in this order of arrival."""
    clients = []
    for member in members:
        before = len(commit._waiting)
        client = Client(commit, member)
        client.start()
        clients.append(client)
        waiting(commit, before + 1)
    return clients


def first(commit: GroupCommit[Write, int], database: Database) -> Client:
    """Start a client whose group is being committed when this returns."""
    client = Client(commit, Write(0))
    client.start()
    assert database.begun.acquire(timeout=30)
    return client


def test_a_single_member_waits_for_nobody(database: Database) -> None:
    database.may_commit.release()
    assert GroupCommit(database.write).submit(Write(1)) == 10
    assert database.groups == [[1]]


def test_who_arrives_during_a_commit_shares_the_next(database: Database) -> None:
    commit = GroupCommit(database.write)
    clients = [first(commit, database), *start(commit, *map(Write, (1, 2, 3)))]
    database.may_commit.release(2)
    for client in clients:
        client.join(30)
    assert database.groups == [[0], [1, 2, 3]]
    assert [client.answer for client in clients] == [0, 10, 20, 30]


def test_nobody_is_answered_before_the_commit(database: Database) -> None:
    commit = GroupCommit(database.write)
    clients = [first(commit, database), *start(commit, Write(1))]
    assert all(client.answer is None and client.is_alive() for client in clients)
    database.may_commit.release()
    clients[0].join(30)
    assert database.begun.acquire(timeout=30)
    assert clients[1].is_alive()
    database.may_commit.release()
    clients[1].join(30)
    assert clients[1].answer == 10


def test_a_group_is_bounded_in_rows(database: Database) -> None:
    commit = GroupCommit(database.write, max_rows=5)
    members = [Write(1, 3), Write(2, 2), Write(3, 1), Write(4, 9), Write(5, 1)]
    clients = [first(commit, database), *start(commit, *members)]
    database.may_commit.release(9)
    for client in clients:
        client.join(30)
    assert database.groups == [[0], [1, 2], [3], [4], [5]]


def test_an_error_reaches_every_member_and_the_next_group_is_committed(database: Database) -> None:
    commit = GroupCommit(database.write)
    database.error = RuntimeError("no database")
    clients = [first(commit, database), *start(commit, Write(1), Write(2))]
    database.may_commit.release(2)
    for client in clients:
        client.join(30)
    assert [client.error for client in clients] == [database.error] * 3
    database.error = None
    database.may_commit.release()
    assert commit.submit(Write(7)) == 70


def test_many_threads_each_get_their_own_answer() -> None:
    rows = []

    def write(members: list[Write]) -> list[int]:
        rows.extend(member.number for member in members)
        return [member.number for member in members]

    commit = GroupCommit(write)
    clients = [Client(commit, Write(i)) for i in range(200)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(30)
    assert [client.answer for client in clients] == list(range(200))
    assert sorted(rows) == list(range(200))


def test_long_texts_count_as_several_rows() -> None:
    """A group that is bounded in rows is bounded in bytes."""
    value = "v" * 8000
    batch = Batch("r", [], [], [], [], [], None, None, None, [("p", value)], [("t", value), ("u", "")])
    assert batch.rows == 3 + 2 * 31
    assert NewRun(0, "user", 0, "n", [("t", value)]).rows == 1 + 1 + 31
    assert ExperimentTag(0, "t", value).rows == 1 + 31
