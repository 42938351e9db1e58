"""Events that long work yields, and the flag by which it is asked to stop.

Work is a generator of events, so progress, preview and cancelling need no callback: the command
line draws a bar from them, a page sends them on, a script ignores them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kadr.errors import Cancelled


@dataclass(frozen=True, eq=False)
class Event:
    """One step forward.

    step: which part of the run, one of the pipeline's step names.
    index: how many units of the step are done, 1-based; 0 announces the step.
    total: how many there are, or None while unknown.
    preview: (H, W, 3) uint8 of what was just made, or None; not to be written to.
    message: a line for people, or "".
    share: how much is done of what comes after ``index``, in units of the step.
    """

    step: str
    index: int
    total: int | None
    preview: NDArray[np.uint8] | None = None
    message: str = ""
    share: float = 0.0


Result = TypeVar("Result")


def follow(
    events: Generator[Event, None, Result], on_event: Callable[[Event], object] | None = None
) -> Result:
    """Run long work to its end, showing its events; gives what the generator returns.

    The work is closed at once if ``on_event`` raises.
    """
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if on_event is not None:
                on_event(event)


def map_events(
    events: Generator[Event, None, Result], function: Callable[[Event], Event]
) -> Generator[Event, None, Result]:
    """Yield ``function(event)`` for each event; returns what the generator returns."""
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            yield function(event)


class CancelToken:
    """A flag that one thread raises and long work asks between frames."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at the next frame."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled if a stop was asked for."""
        if self.cancelled:
            raise Cancelled("stopped as asked; nothing was written under the final name")
