"""A language model behind an OpenAI-style API on this machine, which says its next word when the test says so."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import final

SECONDS = 30.0


@final
class Conversation:
    """One request to the provider."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.words: queue.Queue[str | None] = queue.Queue()
        self.hung_up = threading.Event()

    def say(self, *words: str) -> None:
        """Stream the words to whoever asked."""
        for word in words:
            self.words.put(word)

    def end(self) -> None:
        """End the answer."""
        self.words.put(None)


@final
class Provider:
    """Where the conversations arrive."""

    def __init__(self) -> None:
        self._begun: queue.Queue[Conversation] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1})

    @property
    def url(self) -> str:
        """What OpenAI's base URL is to be set to."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def next(self) -> Conversation:
        """Return the next request that arrives."""
        return self._begun.get(timeout=SECONDS)

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(provider) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                conversation = Conversation(asked["model"])
                provider._begun.put(conversation)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                watch = threading.Thread(target=self._watch, args=(conversation,), daemon=True)
                watch.start()
                while (word := conversation.words.get()) is not None and not conversation.hung_up.is_set():
                    self._event(json.dumps(chunk(conversation.model, word)))
                if not conversation.hung_up.is_set():
                    self._event("[DONE]")
                self.close_connection = True

            def _event(self, data: str) -> None:
                try:
                    self.wfile.write(f"data: {data}\n\n".encode())
                except OSError:
                    pass

            def _watch(self, conversation: Conversation) -> None:
                try:
                    gone = not self.connection.recv(1)
                except OSError:
                    gone = True
                if gone:
                    conversation.hung_up.set()
                    conversation.end()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def chunk(model: str, word: str) -> dict[str, object]:
    """Return what the provider streams for one word."""
    delta = {"role": "assistant", "content": word}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }


@contextmanager
def provider() -> Iterator[Provider]:
    """Run a provider."""
    running = Provider()
    running.start()
    try:
        yield running
    finally:
        running.stop()
