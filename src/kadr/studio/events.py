"""Changes of what the page shows, numbered; a page that was away gets what it missed."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 500
"""Changes that are kept; a page that missed more takes a new snapshot."""


class EventLog:
    """The last changes of one ``boot``."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.number = 0
        self._events: deque[dict[str, Any]] = deque(maxlen=_MOST)
        self._changed = asyncio.Event()

    def publish(self, author: str | None = None, **change: Any) -> None:
        """Add a change: ``set``, members of the snapshot, or ``frames``, a patch of them."""
        self.number += 1
        self._events.append({"n": self.number, "author": author, **change})
        self._changed.set()
        self._changed = asyncio.Event()

    def since(self, number: int) -> list[dict[str, Any]] | None:
        """The changes after a number; None if some of them are not kept any more."""
        missed = self.number - number
        if missed < 0 or missed > len(self._events):
            return None
        return list(itertools.islice(self._events, len(self._events) - missed, None))

    async def wait(self, number: int, seconds: float) -> None:
        """Return when there is a change after a number, or after some seconds."""
        if self.number > number:
            return
        changed = self._changed
        try:
            await asyncio.wait_for(changed.wait(), seconds)
        except TimeoutError:
            return

    def wake(self) -> None:
        """Let all that wait look again: the log ends."""
        self._changed.set()


def merge_events(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same changes without members that a later one of them replaces."""
    merged: list[dict[str, Any]] = []
    replaced: set[str] = set()
    for event in reversed(events):
        change = dict(event)
        if "set" in change:
            kept = {name: value for name, value in change["set"].items() if name not in replaced}
            replaced |= set(change["set"])
            if not kept:
                continue
            change["set"] = kept
        elif "frames" in replaced:
            continue
        merged.append(change)
    return merged[::-1]
