"""A server's websocket in, its text messages out: just enough to listen, never to speak."""

from __future__ import annotations

import base64
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from kadr.stylize.servers.address import Endpoint

log = logging.getLogger(__name__)

_CONTINUED, _TEXT, _CLOSE, _PING, _PONG = 0, 1, 8, 9, 10
_CONNECT_SECONDS = 5.0
_MOST_HEAD = 1 << 14
_MOST_MESSAGE = 1 << 24


class Listener:
    """Calls ``on_text`` with each text message, in a thread of its own, while it is entered.

    What it hears is a help, not a need: whatever goes wrong, it falls silent and logs why.
    """

    def __init__(self, endpoint: Endpoint, path: str, on_text: Callable[[str], object]) -> None:
        self._endpoint, self._path, self._on_text = endpoint, path, on_text
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self._socket = _connected(self._endpoint)
            rest = _shaken(self._socket, self._endpoint, self._path)
        except (OSError, ValueError) as error:
            log.info("%s%s: no progress to be heard (%s)", self._endpoint.shown, self._path, error)
            self._hang_up()
            return self
        self._thread = threading.Thread(
            target=self._listen, args=(self._socket, rest), name="kadr-listener", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()
        if self._thread is not None:
            self._thread.join()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None

    def _listen(self, connection: socket.socket, rest: bytes) -> None:
        reader = _Reader(connection, rest)
        message, is_text = b"", False
        try:
            while True:
                last, kind, body = reader.frame()
                if kind == _CLOSE:
                    return
                if kind == _PING:
                    connection.sendall(_masked(_PONG, body))
                if kind >= _CLOSE:
                    continue
                if kind != _CONTINUED:
                    message, is_text = b"", kind == _TEXT
                message += body
                if len(message) > _MOST_MESSAGE:
                    raise ValueError("a message without end")
                if last and is_text:
                    self._on_text(message.decode("utf-8", "replace"))
        except (OSError, ValueError) as error:
            log.debug("stopped listening: %s", error)


def _connected(endpoint: Endpoint) -> socket.socket:
    plain = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS)
    if not endpoint.secure:
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=endpoint.host)


def _shaken(connection: socket.socket, endpoint: Endpoint, path: str) -> bytes:
    """Ask for a websocket; gives what came after the server's consent. ValueError if it refuses."""
    lines = [
        f"GET {endpoint.path}{path} HTTP/1.1",
        f"Host: {endpoint.host}:{endpoint.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    if endpoint.authorization:
        lines.append(f"Authorization: {endpoint.authorization}")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(4096)
        if not more or len(head) > _MOST_HEAD:
            raise ValueError("no answer to the handshake")
        head += more
    head, _, rest = head.partition(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n")[0] + b" ":
        raise ValueError(head.split(b"\r\n")[0].decode("latin-1"))
    connection.settimeout(None)
    return rest


class _Reader:
    """Frames out of a stream of bytes."""

    def __init__(self, connection: socket.socket, rest: bytes) -> None:
        self._connection, self._rest = connection, rest

    def frame(self) -> tuple[bool, int, bytes]:
        """(whether the message ends, its kind, the bytes) of the next frame."""
        first, second = self._take(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        if length > _MOST_MESSAGE:
            raise ValueError(f"a frame of {length} bytes")
        mask = self._take(4) if second & 0x80 else b""
        body = self._take(length)
        return bool(first & 0x80), first & 0x0F, _xor(body, mask) if mask else body

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self._connection.recv(65536)
            if not more:
                raise ValueError("the server hung up")
            self._rest += more
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


def _masked(kind: int, body: bytes) -> bytes:
    """A short frame as clients must send it: masked, even if with zeros."""
    return bytes([0x80 | kind, 0x80 | len(body)]) + bytes(4) + body


def _xor(body: bytes, mask: bytes) -> bytes:
    return bytes(value ^ mask[place % 4] for place, value in enumerate(body))
