"""Native threads beside a gevent worker's greenlets, for calls that wait in C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gevent import get_hub, monkey
from gevent.threadpool import ThreadPool

T = TypeVar("T")


class NativeThreads:
    """Calls functions in a thread pool, and waits for them without stopping other requests."""

    def __init__(self, size: int | None = None) -> None:
        """``size`` is the number of threads of a pool of its own; None: the hub's pool."""
        self._size = size
        self._pool: Any = None

    def use(self) -> bool:
        """From now on run calls in the pool, if gevent is in use; return whether it is.

        Called in workers only: threads do not survive a fork.
        """
        if monkey.is_module_patched("threading"):
            self._pool = ThreadPool(self._size) if self._size else get_hub().threadpool
        return self._pool is not None

    def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call ``function`` in the pool and return what it returns, or raise what it raises.

        It must take no lock that a greenlet takes: gevent's locks can lose a wake-up from another thread.
        """
        if self._pool is None:
            return function(*arguments)
        result, error = self._pool.apply(_caught, (function, arguments))
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


def _caught(function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[T | None, BaseException | None]:
    """Call ``function``; its error is a result, since gevent prints what a pool's thread raises."""
    try:
        return function(*arguments), None
    except BaseException as ex:
        return None, ex
