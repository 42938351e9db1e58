"""Remember what was looked up at URLs, while one command works with one state of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

_copies: dict[str, Path] | None = None
"""URL → its copy; None outside of ``look_once``."""


@contextlib.contextmanager
def look_once() -> Iterator[None]:
    """Ask for each URL once in a with block."""
    global _copies
    before, _copies = _copies, {}
    try:
        yield
    finally:
        _copies = before


def looked_up(url: str, read: Callable[[str], Path]) -> Path:
    """The copy of a URL: that which was read before in this ``look_once``, or now by ``read``."""
    if _copies is None:
        return read(url)
    if url not in _copies:
        _copies[url] = read(url)
    return _copies[url]
