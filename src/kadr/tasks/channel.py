"""Send Python values through a pipe."""

from __future__ import annotations

import pickle
import struct
import threading
from typing import IO, Any

_LENGTH = struct.Struct("<Q")


class Channel:
    """Two byte streams between a worker and its parent process, which trust each other."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader, self._writer = reader, writer
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Write one message, from any thread. Raises OSError or ValueError if nobody reads."""
        data = pickle.dumps(message)
        with self._lock:
            self._writer.write(_LENGTH.pack(len(data)) + data)
            self._writer.flush()

    def receive(self) -> Any:
        """Wait for the next message. Raises EOFError at the end of the stream."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        return pickle.loads(self._read(length))

    def _read(self, length: int) -> bytes:
        data = self._reader.read(length)
        if len(data) < length:
            raise EOFError("the other end is closed")
        return data
