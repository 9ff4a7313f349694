"""Histories of metrics as JSON: of one run, of several, and sampled for charts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from mlflow.utils.search_utils import SearchUtils

from mlflow_accel.kernels.rows import Field, Kind, Shape, columns, length
from mlflow_accel.store import pages
from mlflow_accel.store.pages import Answer
from mlflow_accel.store.reader import Reader, declining

_POINT = (
    Field("key", Kind.TEXT, 0),
    Field("value", Kind.DOUBLE, 1),
    Field("timestamp", Kind.INTEGER, 2),
    Field("step", Kind.INTEGER, 3),
)
POINT = Shape(_POINT)
POINT_OF_RUN = Shape((*_POINT, Field("run_id", Kind.TEXT, 4)))
# Flask sorts the names. What is not a number would be printed as no JSON can be: left to upstream.
PLAIN_POINT = Shape(
    (
        Field("key", Kind.TEXT, 0),
        Field("run_id", Kind.TEXT, 4),
        Field("step", Kind.INTEGER, 3),
        Field("timestamp", Kind.INTEGER, 2),
        Field("value", Kind.FINITE, 1),
    )
)


class Histories:
    """The histories that one reader reads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @declining
    def page(
        self, run_id: str, key: str, max_results: int | None, page_token: str | None, workspace: str | None
    ) -> Answer | str:
        """Return the answer to ``metrics/get-history``, or why it was declined.

        Source: ``SqlAlchemyStore.get_metric_history``.
        """
        try:
            offset = pages.offset_of(page_token)
        except Exception:
            return "filter"
        sql = self._reader.sql

        def read(cursor: Any) -> Any:
            if workspace is not None and not sql.visible(cursor, [run_id], workspace):
                return None
            return sql.history(cursor, run_id, key, None if max_results is None else max_results + 1, offset)

        pieces = self._reader.read(read)
        if pieces is None:
            return "run"
        tail = b"}"
        if max_results is not None and sum(length(piece[0]) for piece in pieces) > max_results:
            tail = b',"next_page_token":"%s"}' % SearchUtils.create_page_token(offset + max_results)
        return _written(((POINT, (key, *piece)) for piece in pieces), b"{}", tail, max_results)

    @declining
    def bulk(self, run_ids: Sequence[str], key: str, max_results: int, workspace: str | None) -> Answer | str:
        """Return the answer to ``metrics/get-history-bulk``, or why it was declined.

        Source: ``SqlAlchemyStore.get_metric_history_bulk``.
        """
        sql = self._reader.sql
        pieces = self._reader.read(
            lambda cursor: sql.histories(cursor, run_ids, key, max_results, workspace)
        )
        return _written(((PLAIN_POINT, (key, *piece)) for piece in pieces), b'{"metrics":[]}')

    @declining
    def samples(
        self,
        run_ids: Sequence[str],
        key: str,
        max_results: int,
        steps: tuple[int, int] | None,
        workspace: str | None,
    ) -> Answer | str:
        """Return the answer to ``metrics/get-history-bulk-interval``, or why it was declined.

        Source: ``SqlAlchemyStore.get_metric_history_bulk_interval``.
        """
        sql = self._reader.sql

        def read(cursor: Any) -> Any:
            if workspace is not None and sql.visible(cursor, run_ids, workspace) != set(run_ids):
                return None
            return sql.samples(cursor, run_ids, key, max_results, steps)

        found = self._reader.read(read)
        if found is None:
            return "run"
        of_runs = ((POINT_OF_RUN, (key, *found[run_id], run_id)) for run_id in run_ids if run_id in found)
        return _written(of_runs, b"{}")


def _written(
    pieces: Iterable[tuple[Shape, Sequence[Any]]], empty: bytes, tail: bytes = b"}", most: int | None = None
) -> Answer:
    """Return the points of all pieces, or the first so many; ``empty`` if there are none."""
    written = [b'{"metrics":[']
    for shape, cells in pieces:
        if most == 0:
            break
        if len(written) > 1:
            time.sleep(0)  # other requests' turn
            written.append(b",")
        if most is None:
            written.append(columns(shape, cells))
        else:
            written.append(columns(shape, cells, most))
            most -= min(most, length(cells[1]))
    if len(written) == 1:
        return empty
    written.append(b"]" + tail)
    return written if len(written) > 3 else b"".join(written)
