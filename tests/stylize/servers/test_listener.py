"""The WebSocket listener against a real server, and against servers that fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from kadr.stylize.servers.endpoint import parse_endpoint
from kadr.stylize.servers.listener import listening

Handler = Callable[[ServerConnection], None]


@contextmanager
def _serving(handler: Handler, **options: object) -> Iterator[Server]:
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.socket.getsockname()[1]}"


def _listen(url: str, count: int, auth: str = "") -> list[str]:
    """Listen until ``count`` messages came, at most for 2 seconds; returns all messages."""
    messages: list[str] = []
    complete = threading.Event()

    def on_text(message: str) -> None:
        messages.append(message)
        if len(messages) == count:
            complete.set()

    with listening(parse_endpoint(url, auth), "/ws?clientId=me", on_text):
        if count:
            assert complete.wait(2)
    assert not [thread for thread in threading.enumerate() if thread.name == "kadr-listener"]
    return messages


def test_text_messages_are_received_and_none_is_sent() -> None:
    received: list[object] = []

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        assert connection.request.path == "/ws?clientId=me"
        connection.send("one")
        connection.send(b"\0\0\0\1preview")
        assert connection.ping().wait(2)
        connection.send(["t", "wo"])
        received.extend(connection)

    with _serving(handler) as server:
        assert _listen(_url(server), 2) == ["one", "two"]
    assert received == []


def test_the_password_is_sent_and_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def check(connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") == "Basic YTpi":
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "no")

    with _serving(lambda connection: connection.send("hello"), process_request=check) as server:
        assert _listen(_url(server), 1, auth="a:b") == ["hello"]
        assert _listen(_url(server), 0) == []


def test_a_message_above_the_limit_ends_the_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kadr.stylize.servers.listener._MAX_MESSAGE_BYTES", 100)
    closed = threading.Event()

    def handler(connection: ServerConnection) -> None:
        connection.send("x" * 100)
        connection.send("x" * 101)
        with suppress(ConnectionClosedError):
            connection.recv()
        closed.set()

    with _serving(handler) as server:
        messages: list[str] = []
        with listening(parse_endpoint(_url(server)), "/ws", messages.append):
            assert closed.wait(2)
        assert [len(message) for message in messages] == [100]


def test_a_redirect_is_not_followed() -> None:
    connected: list[ServerConnection] = []
    with _serving(connected.append) as target:

        def redirect(connection: ServerConnection, request: Request) -> Response:
            response = connection.respond(HTTPStatus.FOUND, "")
            response.headers["Location"] = _url(target).replace("http", "ws")
            return response

        with _serving(connected.append, process_request=redirect) as server:
            assert _listen(_url(server), 0) == []
    assert connected == []


def test_a_server_that_does_not_answer_exceeds_the_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kadr.stylize.servers.listener._CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert _listen(f"127.0.0.1:{silent.getsockname()[1]}", 0) == []
        port = silent.getsockname()[1]
    assert _listen(f"127.0.0.1:{port}", 0) == []


def test_an_error_in_the_block_closes_the_connection() -> None:
    closed = threading.Event()

    def handler(connection: ServerConnection) -> None:
        for _ in connection:
            pass
        closed.set()

    with _serving(handler) as server:
        with (
            pytest.raises(KeyboardInterrupt),
            listening(parse_endpoint(_url(server)), "/ws", print),
        ):
            raise KeyboardInterrupt
        assert closed.wait(2)
