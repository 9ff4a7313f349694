"""What runs in the companion: uvicorn, with the application and the options with which upstream would start it.

``python -m mlflow_accel.server.companion_process ARBITER DESCRIPTOR LOG UVICORN-ARGUMENTS...``: the arbiter's pid, the
listening socket, and the file that holds what is said until requests are served. Nothing is patched here.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

POLL_SECONDS = 1.0
GRACE_SECONDS = 30
"""How long open requests may go on once the arbiter is gone; as long as gunicorn gives its workers."""


class _Tee:
    """A text stream that also goes to a file, until it is told that the file is no longer needed."""

    def __init__(self, stream: TextIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._file: TextIO | None = path.open("w")

    def write(self, text: str) -> int:
        if self._file is not None:
            self._file.write(text)
            self._file.flush()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def end(self) -> None:
        """Remove the file; only the stream goes on."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)


def end_with(pid: int) -> None:
    """End this process when the process ``pid`` has ended, in whatever way."""

    def wait() -> None:
        _wait_for_end(pid)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(2 * GRACE_SECONDS)
        # Something holds it up: a thread that a provider keeps waiting, say.
        os._exit(1)

    threading.Thread(target=wait, name="arbiter", daemon=True).start()


def _wait_for_end(pid: int) -> None:
    try:
        # Linux only, and not under every sandbox.
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        _poll_for_end(pid)
    else:
        select.select([descriptor], [], [])


def _poll_for_end(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Serve until a signal or the arbiter's end."""
    arbiter, descriptor, log, *arguments = sys.argv[1:]
    end_with(int(arbiter))
    errors = _Tee(sys.stderr, Path(log))
    sys.stderr = errors

    import uvicorn
    from uvicorn.main import main as command

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            errors.end()

    asked = command.make_context("uvicorn", arguments).params
    config = uvicorn.Config(
        asked["app"],
        factory=asked["factory"],
        log_config=asked["log_config"],
        # gunicorn writes these.
        access_log=False,
        date_header=False,
        server_header=False,
        # Only the workers reach the socket, and they say who asks.
        forwarded_allow_ips="*",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config).run([socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
