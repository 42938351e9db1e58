"""Progress events that a long operation yields, and the token that cancels it.

An operation is a generator of events, so progress, preview and cancelling need no callback: the
command line draws a progress bar from them, a web page forwards them, a script ignores them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kadr.core.generators import consume
from kadr.errors import Cancelled


@dataclass(frozen=True, eq=False)
class Event:
    """One unit of progress.

    step: which part of the run, one of the pipeline's step names.
    index: how many units of the step are done, 1-based; 0 announces the step.
    total: how many there are, or None while unknown.
    preview: (H, W, 3) uint8, the newest result, or None; read-only.
    message: a line of text for the user, or "".
    share: progress of the units after ``index``, in units of the step.
    working: indices of the frames that are being made now; None if that is not told.
    """

    step: str
    index: int
    total: int | None
    preview: NDArray[np.uint8] | None = None
    message: str = ""
    share: float = 0.0
    working: frozenset[int] | None = None


def notice(step: str, text: str, index: int = 0, total: int | None = None) -> Event:
    """An event that tells people what was left out or guessed."""
    return Event(step, index, total, message=f"note: {text}")


Result = TypeVar("Result")


def follow(
    events: Generator[Event, None, Result], on_event: Callable[[Event], object] | None = None
) -> Result:
    """Run an operation to its end and pass on its events; returns the value of the generator.

    The generator is closed at once if ``on_event`` raises.
    """
    return consume(events, on_event or (lambda event: None))


class CancelToken:
    """A flag that one thread sets and a long operation checks between frames."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the operation to stop at the next frame."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled if ``cancel`` was called."""
        if self.cancelled:
            raise Cancelled("cancelled; nothing was written under the final name")
