"""A real HTTP server in a thread, with responses and failures that a test sets."""

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
class ReceivedRequest:
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
class Response:
    """What the server sends.

    drop: close the connection without a response. cut: send only so many bytes of the body, then
    close. stall: seconds before it closes. delay: seconds before the response.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: int | None = None
    delay: float = 0.0
    stall: float = 0.0


def json_response(value: Any, status: int = 200) -> Response:
    """A response that holds a JSON value."""
    return Response(status, json.dumps(value).encode())


@dataclass
class Fault:
    """A response that replaces the next ``times`` responses to paths that end in ``path``."""

    path: str
    response: Response
    times: int = 1


class FakeServer:
    """Serves while it is entered. Subclasses override ``respond``; faults are sent first.

    auth: "user:password" that every request must carry, or "". port: 0 for any that is free.
    """

    port = 0

    def __init__(
        self,
        respond: Callable[[ReceivedRequest], Response] | None = None,
        *,
        auth: str = "",
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self.faults: list[Fault] = []
        self._respond, self._auth = respond, auth
        self._lock = threading.Lock()

    def respond(self, request: ReceivedRequest) -> Response:
        """The response of a server without faults."""
        return self._respond(request) if self._respond else Response(404)

    def fail(self, path: str, response: Response, times: int = 1) -> None:
        """Replace the next responses to a path."""
        self.faults.append(Fault(path, response, times))

    def requests_to(self, path: str) -> list[ReceivedRequest]:
        """The requests to paths that end in ``path``."""
        return [request for request in list(self.requests) if request.path.endswith(path)]

    def websocket(self, request: ReceivedRequest, connection: socket.socket) -> bool:
        """Serve a connection that asks for a WebSocket; False to refuse it."""
        return False

    @property
    def url(self) -> str:
        """The address for a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request: ReceivedRequest) -> Response:
        """Record a request; returns the next fault for it, or the real response."""
        self.requests.append(request)
        if self._auth:
            expected = "Basic " + base64.b64encode(self._auth.encode()).decode()
            if request.headers.get("authorization") != expected:
                return json_response({"detail": "Incorrect username or password"}, 401)
        with self._lock:
            for fault in self.faults:
                if fault.times and request.path.endswith(fault.path):
                    fault.times -= 1
                    return fault.response
        return self.respond(request)


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            request = ReceivedRequest(self.command, parts.path, query, headers, body)
            is_websocket = headers.get("upgrade") == "websocket"
            if is_websocket and server.websocket(request, self.connection):
                self.close_connection = True
                return
            self._send(server.handle(request))

        do_GET = do_POST = _serve  # noqa: N815 - the names that the base class calls

        def _send(self, response: Response) -> None:
            self.close_connection = True
            time.sleep(response.delay)
            if response.drop:
                return
            try:
                self.send_response(response.status)
                self.send_header("Content-Type", response.content_type)
                self.send_header("Content-Length", str(len(response.body)))
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(response.body[: response.cut])
                time.sleep(response.stall)
            except OSError:
                return  # the client closed the connection

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler
