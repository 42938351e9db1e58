"""Tell who asked what is read from and written to servers: one line now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from kadr.core.formatting import size

_QUIET_SECONDS = 3.0
_INTERVAL = 15.0
"""Seconds before the first line about a transfer, and between two of them."""

_listeners: list[Callable[[str], None]] = []


@contextlib.contextmanager
def on_transfer(listener: Callable[[str], None]) -> Iterator[None]:
    """Call ``listener`` with a line about transfers that take a while, in a with block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class TransferProgress:
    """Counts the bytes of one transfer. action: "reading" or "writing". total: None if unknown."""

    def __init__(self, url: str, action: str, total: int | None) -> None:
        self._url, self._action, self._total = url, action, total
        self._count = 0
        self._next = time.monotonic() + _QUIET_SECONDS

    def add(self, count: int) -> None:
        """Count bytes, and tell if it is time."""
        self._count += count
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _INTERVAL
        total = "" if self._total is None else f" of {size(self._total)}"
        for listener in _listeners:
            listener(f"{self._url}: {self._action}, {size(self._count)}{total}")
