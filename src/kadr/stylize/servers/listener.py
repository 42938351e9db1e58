"""Receive the text messages of a server's WebSocket, and send none."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from kadr.stylize.servers.endpoint import Endpoint

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_MAX_MESSAGE_BYTES = 1 << 24


@contextmanager
def listening(endpoint: Endpoint, path: str, on_text: Callable[[str], object]) -> Iterator[None]:
    """Call ``on_text`` with each text message, in a thread of its own, during the block.

    The messages are optional: if the connection fails, the block runs without them.
    """
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(_connect(endpoint, path))
        except (OSError, ValueError, WebSocketException) as error:
            log.info("%s%s: no progress messages (%s)", endpoint.address, path, error)
        else:
            thread = threading.Thread(
                target=_receive, args=(connection, on_text), name="kadr-listener", daemon=True
            )
            thread.start()
            # callbacks run last in, first out: close, then join
            stack.callback(thread.join)
            stack.callback(connection.close)
        yield


def _connect(endpoint: Endpoint, path: str) -> ClientConnection:
    # with a socket of ours no proxy is used, and no redirect leads to another server
    connection = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS)
    connection.settimeout(None)
    return connect(
        f"{endpoint.websocket_address}{path}",
        sock=connection,
        additional_headers=endpoint.headers,
        user_agent_header="kadr",
        compression=None,
        proxy=None,
        open_timeout=_CONNECT_SECONDS,
        close_timeout=_CLOSE_SECONDS,
        # a server that is busy with a frame may answer pings late
        ping_interval=None,
        max_size=_MAX_MESSAGE_BYTES,
    )


def _receive(connection: ClientConnection, on_text: Callable[[str], object]) -> None:
    try:
        for message in connection:
            if isinstance(message, str):
                on_text(message)
    except ConnectionClosed as error:
        log.debug("stopped listening: %s", error)
