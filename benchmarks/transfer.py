"""A client that moves one artifact: ``python -m benchmarks.transfer up|down PORT PATH BYTES``.

It is a process of its own, makes up what it sends, compares what it receives with that, and prints a JSON object:
``seconds``, and ``first_byte``, the seconds until the answer's first byte.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.client import UnexpectedAnswer
from benchmarks.servers import REPOSITORY

BLOCK = random.Random(3).randbytes(2**20)
"""An artifact is this block, again and again: nothing of it is zero, and comparing it costs next to nothing."""

SECONDS = 3600.0


def move(direction: str, port: int, path: str, size: int) -> dict[str, float]:
    """Move the artifact, in a process of its own.

    Raises:
        UnexpectedAnswer: it did not arrive as it is.
    """
    command = [sys.executable, "-m", "benchmarks.transfer", direction, str(port), path, str(size)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnexpectedAnswer(f"{direction} {path}: {done.stderr.strip().splitlines()[-1]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _blocks(size: int) -> Iterator[bytes]:
    for start in range(0, size, len(BLOCK)):
        yield BLOCK[: size - start] if size - start < len(BLOCK) else BLOCK


def _main(direction: str, port: int, path: str, size: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    since = time.monotonic()
    if direction == "up":
        connection.request("PUT", path, _blocks(size), {"Content-Length": str(size)})
        response = connection.getresponse()
        first_byte = time.monotonic() - since
        assert response.status == 200, f"{response.status} {response.read(300)!r}"
        response.read()
    else:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200, f"{response.status} {response.read(300)!r}"
        received = bytearray(len(BLOCK))
        first_byte = 0.0
        for block in _blocks(size):
            taken = 0
            with memoryview(received) as view:
                while taken < len(block) and (came := response.readinto(view[taken : len(block)])):
                    first_byte = first_byte or time.monotonic() - since
                    taken += came
            assert received[:taken] == block, "another artifact"
        assert not response.read(1), "more than was sent"
    print(json.dumps({"seconds": time.monotonic() - since, "first_byte": first_byte}))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
