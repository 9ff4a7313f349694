"""Pages of objects: the statement that selects one, and the answer that it becomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

from mlflow.utils.search_utils import SearchUtils
from sqlalchemy import Dialect, Select, bindparam
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from mlflow_accel.kernels.rows import Shape, objects

Answer = bytes | list[bytes]

PIECE: Final = 200
"""How many objects are written at a time. PERF: 200 runs of 23 children take some 1 ms, in which nobody is served."""

MAX_FILTER: Final = 4096
"""How long a filter may be, in characters, to be kept compiled."""

LIMIT, OFFSET, WORKSPACE = "accel_limit", "accel_offset", "accel_workspace"
"""The parameters that are not part of a page's text."""


@dataclass(frozen=True)
class Page:
    """A compiled query for a page."""

    statement: str
    order: str
    """The page's order, in the names of its columns; the page itself is named ``r``."""
    _parameters: dict[str, Any]
    _positions: tuple[str, ...] | None

    def bound(self, offset: int, max_results: int, workspace: str | None, **others: Any) -> Any:
        """Return the parameters, for one row more than the answer may hold: it says whether there is another page."""
        values = self._parameters | {LIMIT: max_results + 1, OFFSET: offset, WORKSPACE: workspace} | others
        return values if self._positions is None else [values[name] for name in self._positions]


class Filtered(Protocol):
    """A query that has a filter."""

    @property
    def filter(self) -> str: ...


Q = TypeVar("Q", bound=Filtered)


def keeping(compile: Callable[[Q, bool], Page]) -> Callable[[Q, bool], Page]:
    """Return ``compile``, which keeps what it made of the latest queries.

    PERF: upstream's parser and SQLAlchemy's compiler take 2 to 5 ms; the same text makes the same statement.
    """
    kept: Any = lru_cache(maxsize=256)(compile)

    def page(query: Q, in_workspace: bool) -> Page:
        made: Page = (kept if len(query.filter) <= MAX_FILTER else compile)(query, in_workspace)
        return made

    return page


def workspace() -> Any:
    """Return the parameter that stands for the workspace of the request."""
    return bindparam(WORKSPACE, "")


def compiled(
    statement: Select[Any], order_by: Sequence[Any], sorted_by: Sequence[Any], dialect: Dialect
) -> Page:
    """Return ``statement`` in the order ``order_by``, compiled once for all offsets, limits and workspaces.

    ``sorted_by`` are columns that only the order needs.
    """
    statement = statement.add_columns(*_labelled(sorted_by)).order_by(*order_by)
    statement = statement.offset(bindparam(OFFSET, 0)).limit(bindparam(LIMIT, 0))
    made: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    parameters = made.construct_params()
    for name, process in made._bind_processors.items():
        parameters[name] = process(parameters[name])
    order = ", ".join(_in_page(clause, sorted_by) for clause in order_by)
    return Page(made.string, order, parameters, tuple(made.positiontup) if made.positional else None)


def _labelled(columns: Sequence[Any]) -> list[Any]:
    """Return upstream's columns to sort by with names of their own; its cases have theirs."""
    return [
        column if str(getattr(column, "name", "")).startswith("clause_") else column.label(f"accel_{i}")
        for i, column in enumerate(columns)
    ]


def _in_page(clause: Any, sorted_by: Sequence[Any]) -> str:
    """Return a term of upstream's order in the names of the columns that the page selects."""
    if isinstance(clause, str):
        return f"r.{clause}"
    if isinstance(clause, UnaryExpression):
        way = "DESC" if clause.modifier is operators.desc_op else "ASC"
        return f"{_in_page(clause.element, sorted_by)} {way}"
    for i, column in enumerate(sorted_by):
        if column is clause:
            return f"r.accel_{i}"
    return f"r.{clause.key}"


def offset_of(page_token: str | None) -> int:
    """Return where a page begins; upstream's parser may raise anything."""
    return SearchUtils.parse_start_offset_from_page_token(page_token)  # type: ignore[no-any-return]


def answer(name: str, shape: Shape, rows: Any, offset: int, max_results: int) -> Answer:
    """Return ``{"name": [...], "next_page_token": ...}``, in pieces if it is big.

    Raises:
        ValueError: a row cannot be written.
    """
    count, tail = len(rows), b"}"
    if count > max_results:
        count = max_results
        tail = b',"next_page_token":"%s"}' % SearchUtils.create_page_token(offset + max_results)
    return written(name, lambda first, last: objects(shape, rows.piece(first, last)), count, tail)


def written(name: str, piece: Callable[[int, int], bytes], count: int, tail: bytes = b"}") -> Answer:
    """Return ``{"name": [...]`` and ``tail``; ``piece`` writes the objects from one number up to another."""
    if count == 0:
        return b"{" + tail.lstrip(b",")
    head = b'{"%s":[' % name.encode()
    if count <= PIECE:
        return head + piece(0, count) + b"]" + tail
    pieces = [head]
    for first in range(0, count, PIECE):
        if first:
            time.sleep(0)  # other requests' turn
            pieces.append(b",")
        pieces.append(piece(first, min(first + PIECE, count)))
    pieces.append(b"]" + tail)
    return pieces
