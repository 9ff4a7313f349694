"""A language model behind an OpenAI-style API, which streams at a steady pace: ``python -m benchmarks.provider``.

It is a process of its own, prints the port at which it listens, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.servers import REPOSITORY

WORDS_PER_SECOND = 10
WORDS = 60
"""In an answer."""


@contextmanager
def running() -> Iterator[str]:
    """Run a provider; gives its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.provider"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.communicate()


def _event(word: str) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(fields.get(b"content-length", b"0")))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for number in range(WORDS):
            writer.write(_event(f"word {number}"))
            await writer.drain()
            await asyncio.sleep(1 / WORDS_PER_SECOND)
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
    writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
