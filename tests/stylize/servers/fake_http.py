"""A real HTTP server in a thread that answers as it is told, and misbehaves as it is told."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What goes back.

    drop: close without a word. cut: send only so many bytes of the body, then close.
    after: seconds of silence first.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: int | None = None
    after: float = 0.0


def as_json(value: Any, status: int = 200) -> Answer:
    """An answer that holds a JSON value."""
    return Answer(status, json.dumps(value).encode())


@dataclass
class Fault:
    """An answer that stands in for ``times`` answers to paths that end in ``path``."""

    path: str
    answer: Answer
    times: int = 1


class FakeServer:
    """Serves while it is entered. Subclasses override ``answer``; faults come before it.

    auth: "user:password" that every request must bring, or "".
    """

    def __init__(self, answer: Callable[[Seen], Answer] | None = None, *, auth: str = "") -> None:
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self._answer, self._auth = answer, auth
        self._lock = threading.Lock()

    def answer(self, seen: Seen) -> Answer:
        """What a well-behaved server says."""
        return self._answer(seen) if self._answer else Answer(404)

    def fail(self, path: str, answer: Answer, times: int = 1) -> None:
        """Let the next answers to a path be another."""
        self.faults.append(Fault(path, answer, times))

    def asked(self, path: str) -> list[Seen]:
        """The requests to paths that end so."""
        return [seen for seen in list(self.seen) if seen.path.endswith(path)]

    def websocket(self, seen: Seen, connection: socket.socket) -> bool:
        """Take over a connection that asks for a websocket; False to refuse it."""
        return False

    @property
    def url(self) -> str:
        """The address to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, seen: Seen) -> Answer:
        """The fault whose turn it is, or the true answer."""
        self.seen.append(seen)
        if self._auth:
            wanted = "Basic " + base64.b64encode(self._auth.encode()).decode()
            if seen.headers.get("authorization") != wanted:
                return as_json({"detail": "Incorrect username or password"}, 401)
        with self._lock:
            for fault in self.faults:
                if fault.times and seen.path.endswith(fault.path):
                    fault.times -= 1
                    return fault.answer
        return self.answer(seen)


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            seen = Seen(self.command, parts.path, query, headers, body)
            if headers.get("upgrade") == "websocket" and server.websocket(seen, self.connection):
                self.close_connection = True
                return
            self._send(server.reply(seen))

        do_GET = do_POST = _serve  # noqa: N815 - the names that the base class calls

        def _send(self, answer: Answer) -> None:
            self.close_connection = True
            time.sleep(answer.after)
            if answer.drop:
                return
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut])
            except OSError:
                return  # the client gave up

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
