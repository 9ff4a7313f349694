"""What upstream's FastAPI routes answer, where they wait for nothing: run without an event loop, as Flask responses."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from fastapi import HTTPException
from fastapi.exception_handlers import http_exception_handler
from flask import Response


def returned(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns; of a FastAPI route that refuses, the refusal.

    Raises:
        RuntimeError: it waits for something.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    except HTTPException as refusal:
        return returned(http_exception_handler(None, refusal))  # type: ignore[arg-type]
    coroutine.close()
    raise RuntimeError(f"{coroutine} waits, and there is no event loop")


def response(answer: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a Starlette response as one of Flask's; of a ``FileResponse``, all but the file's bytes.

    ``headers`` are those of the request that it heeds.
    """
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    given = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()
    ]
    # A FileResponse opens its file for any other method.
    returned(answer({"type": "http", "method": "HEAD", "headers": given}, None, send))
    start, *bodies = sent
    made = Response([message["body"] for message in bodies if message.get("body")], start["status"])
    made.headers.clear()
    for name, value in start["headers"]:
        made.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return made
