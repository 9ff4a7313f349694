"""Replacements for the tests of applying: each wraps upstream's function and says that it was there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def marked(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap any function; the result has an attribute ``ours``."""

    @functools.wraps(original)
    def replacement(*arguments: Any, **keywords: Any) -> Any:
        return original(*arguments, **keywords)

    replacement.ours = True  # type: ignore[attr-defined]
    return replacement


def shouted(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a view that returns a text and a status; ours is in capitals."""

    def view() -> tuple[str, int]:
        text, status = original()
        return f"{text.upper()}!", status

    return view


def never(original: object) -> None:
    """Fail: a patch was applied that must not be."""
    raise AssertionError(f"{original} was replaced")
