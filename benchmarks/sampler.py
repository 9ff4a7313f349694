"""A light client that asks for a path at a steady pace: ``python -m benchmarks.sampler PORT PATH INTERVAL``.

It is a process of its own, each sample is a connection of its own (as a load balancer's probe is), and each
starts at its time whether or not those before it were answered: a server that stands still for a second is
seen by all samples of that second. It ends when its standard input does, and prints a JSON list of
``[start, seconds, status]``; ``start`` is of the monotonic clock, status 0 means no answer.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.servers import REPOSITORY

ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Sample:
    """One request: its start on the monotonic clock, and the seconds until its answer was read."""

    start: float
    seconds: float
    status: int


class Sampler:
    """The sampling process, begun."""

    def __init__(self, port: int, path: str, interval: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sampler", str(port), path, str(interval)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # The first line says that sampling begins.
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> list[Sample]:
        """End the sampling and return all samples, those still waiting for an answer included."""
        try:
            output, _ = self._process.communicate(timeout=2 * ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return [Sample(*fields) for fields in json.loads(output)]


async def _sample(port: int, path: str, samples: list[tuple[float, float, int]]) -> None:
    start, status = time.monotonic(), 0
    with suppress(OSError, asyncio.TimeoutError, ValueError, IndexError):
        status = await asyncio.wait_for(_ask(port, path), ANSWER_SECONDS)
    samples.append((start, time.monotonic() - start, status))


async def _ask(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        return int(answer.split(None, 2)[1])
    finally:
        writer.close()


async def _main(port: int, path: str, interval: float) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    samples: list[tuple[float, float, int]] = []
    pending: set[asyncio.Task[None]] = set()
    print("sampling", flush=True)
    due = loop.time()
    while not ended.done():
        task = loop.create_task(_sample(port, path, samples))
        pending.add(task)
        task.add_done_callback(pending.discard)
        due = max(due + interval, loop.time())
        await asyncio.wait([ended], timeout=due - loop.time())
    await asyncio.gather(*pending)
    print(json.dumps(samples))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
