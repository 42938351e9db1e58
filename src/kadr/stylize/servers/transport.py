"""Send one HTTP request in its own thread, so that it can be stopped while it waits."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from kadr.core.formatting import size

_CONNECT_SECONDS = 10.0
_GRACE_SECONDS = 5.0
"""The thread's own timeout is longer by this, so that the caller's timeout comes first."""

_JOIN_SECONDS = 1.0


@dataclass(frozen=True)
class Response:
    """A complete response; names of ``headers`` may be looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TooLargeError(Exception):
    """A response body over the limit, which is the text of the error."""


class PendingRequest:
    """A request that a thread sends; when it is finished, ``response`` or ``error`` is set.

    Connects directly to the server: no proxy is used, and no redirect is followed. A body of more
    than ``max_bytes`` is not read to its end.
    """

    def __init__(self, request: httpx.Request, timeout: float, max_bytes: int) -> None:
        self.response: Response | None = None
        self.error: Exception | None = None
        self._request, self._max_bytes = request, max_bytes
        self._timeout = httpx.Timeout(
            timeout + _GRACE_SECONDS, connect=min(timeout, _CONNECT_SECONDS)
        )
        self._socket: socket.socket | None = None
        self._stopped = False
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kadr-http", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait up to some seconds; returns whether the request is finished."""
        return self._finished.wait(seconds)

    def stop(self) -> None:
        """Close the connection if there is one, and wait for the thread to end.

        A thread that is still connecting sends nothing, and ends after the connect timeout.
        """
        self._stopped = True
        if self._socket is not None:
            self._shut_down(self._socket)
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            self.response = self._exchange()
        except Exception as error:
            self.error = error
        finally:
            self._finished.set()

    def _exchange(self) -> Response:
        with httpx.Client(verify=_tls_context(), trust_env=False) as client:
            self._request.extensions = {"trace": self._trace, "timeout": self._timeout.as_dict()}
            with closing(client.send(self._request, stream=True)) as response:
                return Response(
                    response.status_code, response.headers, _read_body(response, self._max_bytes)
                )

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Store the socket once it is connected: only closing it ends a read that blocks."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._stopped and self._socket is not None:
                self._shut_down(self._socket)

    def _shut_down(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _read_body(response: httpx.Response, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    count = 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        count += len(chunk)
        if count > max_bytes:
            raise TooLargeError(size(max_bytes))
    return b"".join(chunks)


@cache
def _tls_context() -> ssl.SSLContext:
    """Certificates are checked against those that the system trusts."""
    return ssl.create_default_context()
