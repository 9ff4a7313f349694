"""Group commit: writes that arrive while another is being committed share the next transaction.

Leader and followers, with plain locks, so that it is right under gevent, in threads, in a sync worker and in a user's
script. Whoever finds no commit under way commits for all that wait; a group is what arrived meanwhile, so nobody waits
for company. Each member gets its answer after the commit that contains its rows, never before.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

MAX_ROWS = 20_000
"""A group is closed when it holds as many rows: some 4 MB of statement, and a few hundred ms of the database."""


class Sized(Protocol):
    """What can be a member: it says how many rows it writes."""

    @property
    def rows(self) -> int: ...


M = TypeVar("M", bound=Sized)
R = TypeVar("R")


class _Entry(Generic[M, R]):
    """A member that waits, with the answer that it gets."""

    __slots__ = ("member", "answer", "error", "leads", "woken")

    def __init__(self, member: M) -> None:
        self.member = member
        self.answer: R | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.woken = threading.Lock()
        self.woken.acquire()


class GroupCommit(Generic[M, R]):
    """Hands members to ``write`` in groups; ``write`` returns one answer for each, or raises for all of them."""

    def __init__(self, write: Callable[[list[M]], list[R]], max_rows: int = MAX_ROWS) -> None:
        self._write = write
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._waiting: deque[_Entry[M, R]] = deque()
        self._committing = False

    def submit(self, member: M) -> R:
        """Return the answer for ``member``, once the group that holds it is committed; or raise what ``write`` raised."""
        entry: _Entry[M, R] = _Entry(member)
        with self._lock:
            self._waiting.append(entry)
            entry.leads = not self._committing
            self._committing = True
        if not entry.leads:
            entry.woken.acquire()
        if entry.leads:
            self._lead()
        if entry.error is not None:
            raise entry.error
        return entry.answer  # type: ignore[return-value]

    def _lead(self) -> None:
        """Commit one group, which contains the caller's entry, then hand the lead to the first that waits."""
        group = self._take()
        try:
            answers = self._write([entry.member for entry in group])
            for entry, answer in zip(group, answers, strict=True):
                entry.answer = answer
        except BaseException as ex:
            for entry in group:
                entry.error = ex
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                if heir is None:
                    self._committing = False
                else:
                    heir.leads = True
            for entry in group[1:]:
                entry.woken.release()
            if heir is not None:
                heir.woken.release()

    def _take(self) -> list[_Entry[M, R]]:
        """Take the entries that wait, the leader's own first, up to ``max_rows``."""
        with self._lock:
            group = [self._waiting.popleft()]
            rows = group[0].member.rows
            while self._waiting and rows + self._waiting[0].member.rows <= self._max_rows:
                entry = self._waiting.popleft()
                rows += entry.member.rows
                group.append(entry)
        return group
