"""Listen on an address and serve the studio until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

import kadr
from kadr.errors import OptionsError, OutputError
from kadr.studio.app import create_app
from kadr.studio.guard import Access, is_loopback
from kadr.studio.studio import Studio

DEFAULT_PORT = 8477
"""The port of the studio, if it is free."""

_STOP_SECONDS = 5
"""That open pages may take to go away at the end."""


def serve(
    project: Path | None,
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    sample: bool = False,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve a project, or the start page of a folder; returns after Ctrl-C.

    port: None: the usual one, or any free one. browser: open the page. sample: open the
    sample project. on_ready: called with the
    address once the server listens. Raises OutputError if the port is in use or not allowed,
    OptionsError for a host that is none of this machine's.
    """
    listener = open_listener(host, port)
    access = Access.of(host, listener.getsockname()[1])
    studio = Studio(
        kadr.__version__,
        folder,
        is_local=is_loopback(host),
        address=access.url.partition("?")[0],  # without the token
    )
    config = uvicorn.Config(
        create_app(studio, access, project, sample=sample),
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        ws="websockets-sansio",
        ws_max_size=1 << 16,
        timeout_graceful_shutdown=_STOP_SECONDS,
        lifespan="on",
    )
    server = _Server(config, lambda: _announce(access.url, browser, on_ready))
    with contextlib.suppress(KeyboardInterrupt):  # it is how people end it
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Calls a function once it listens."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if not self.should_exit:
            self._on_start()


def _announce(url: str, browser: bool, on_ready: Callable[[str], None]) -> None:
    on_ready(url)
    if browser:  # a browser may be slow to start, and some wait until they are closed
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def open_listener(host: str, port: int | None) -> socket.socket:
    """A socket that listens on an address. Raises OutputError or OptionsError in one line."""
    ports = [port] if port is not None else [DEFAULT_PORT, 0]
    for number in ports:
        try:
            return _listen(host, number)
        except OSError as error:
            if port is None and error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise _listen_error(host, number, error) from error
    raise OutputError(f"{host}: no port is free")


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def _listen_error(host: str, port: int, error: OSError) -> Exception:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return OptionsError(f"host {host}: is no address of this machine; leave --host out")
    if error.errno == errno.EADDRINUSE:
        return OutputError(
            f"port {port}: another program listens there, maybe another studio; "
            "give another --port, or leave it out"
        )
    return OutputError(f"port {port}: cannot be used ({error.strerror}); give another --port")
