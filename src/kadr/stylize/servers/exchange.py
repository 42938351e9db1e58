"""One request in, its reply or its error out, in a thread that can be told to give up."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from kadr.stylize.servers.address import Endpoint

MOST_BYTES = 1 << 28
"""An answer that is longer is not read to its end."""

_CONNECT_SECONDS = 10.0
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Request:
    """What to send: ``path`` with its query, ``kind`` is the content type of ``body``."""

    method: str
    path: str
    body: bytes | None = None
    kind: str | None = None

    @property
    def bare(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    """What came back; the names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TooMuchError(Exception):
    """An answer over ``MOST_BYTES``."""


class Exchange:
    """One request on its way in a thread of its own, since a blocked read cannot be asked to stop.

    ``done`` is set when ``reply`` or ``error`` is.
    """

    def __init__(self, endpoint: Endpoint, request: Request, timeout: float) -> None:
        self.done = threading.Event()
        self.reply: Reply | None = None
        self.error: Exception | None = None
        self._socket: socket.socket | None = None
        self._stopped = False
        self._work = (endpoint, request, timeout)
        threading.Thread(target=self._run, name="kadr-http", daemon=True).start()

    def stop(self) -> None:
        """Break the connection off, if there still is one; the thread then ends by itself."""
        self._stopped = True
        if self._socket is not None and not self.done.is_set():
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self.reply = self._exchange(*self._work)
        except Exception as error:
            self.error = error
        finally:
            self.done.set()

    def _exchange(self, endpoint: Endpoint, request: Request, timeout: float) -> Reply:
        kind = http.client.HTTPSConnection if endpoint.secure else http.client.HTTPConnection
        connection = kind(endpoint.host, endpoint.port, timeout=min(timeout, _CONNECT_SECONDS))
        try:
            connection.connect()
            self._socket = connection.sock
            # whoever waits gives up first, and says so
            self._socket.settimeout(timeout + _GRACE_SECONDS)
            if self._stopped:
                raise ConnectionAbortedError("stopped while connecting")
            headers = {"Connection": "close", "User-Agent": "kadr"}
            if request.kind:
                headers["Content-Type"] = request.kind
            if endpoint.authorization:
                headers["Authorization"] = endpoint.authorization
            # a server may refuse before it has read all, and closes; what it said can still be read
            with suppress(BrokenPipeError, ConnectionResetError):
                path = endpoint.path + request.path
                connection.request(request.method, path, request.body, headers)
            with connection.getresponse() as response:
                return _read(response)
        finally:
            connection.close()


def _read(response: http.client.HTTPResponse) -> Reply:
    body = response.read(MOST_BYTES)
    if len(body) == MOST_BYTES:
        raise TooMuchError
    if response.length:
        raise ConnectionResetError(f"{response.length} bytes of the answer are missing")
    lower = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, lower, body)
