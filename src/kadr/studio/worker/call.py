"""One call of the server: its arguments, and how progress and notices go back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kadr.cli.time_left import StepTimers
from kadr.core.events import CancelToken, Event, Result, follow

Send = Callable[[dict[str, Any]], None]

_INTERVAL = 0.1
"""Seconds between two messages about progress."""


@dataclass
class Call:
    """What one call works with. arguments: JSON values by name."""

    arguments: Mapping[str, Any]
    cancel: CancelToken
    number: int = 0
    send: Send = lambda message: None
    _timers: StepTimers = field(default_factory=StepTimers)
    _steps: dict[str, Event] = field(default_factory=dict)
    _last: float = 0.0
    _working: frozenset[int] = frozenset()

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, or ``default`` if the call does not have it."""
        return self.arguments.get(name, default)

    def event(self, **facts: Any) -> None:
        """Send facts at once."""
        self.send({"id": self.number, "event": facts})

    def notice(self, text: str) -> None:
        """Send a line of text for people."""
        self.event(notice=text.removeprefix("note: "))

    def progress(self, event: Event) -> None:
        """Send the progress of the first step that is not done, ten times a second at most."""
        timer = self._timers.update(event)
        if event.message:
            self.notice(event.message)
        new_step = event.step not in self._steps
        self._steps[event.step] = event
        if event.working is not None:
            self._working = event.working
        now = time.monotonic()
        if not new_step and event.index != event.total and now - self._last < _INTERVAL:
            return
        self._last = now
        unfinished = [item for item in self._steps.values() if item.index != item.total]
        step = unfinished[0] if unfinished and unfinished[0].total else event
        if step is not event:
            timer = self._timers.update(step)
        seconds = timer.seconds_left(step.total)
        self.event(
            step=step.step,
            index=step.index,
            total=step.total,
            share=min(1.0, (step.index + step.share) / step.total) if step.total else None,
            seconds_left=None if seconds is None else round(seconds, 1),
            working=sorted(self._working),
        )

    def follow(self, events: Generator[Event, None, Result]) -> Result:
        """Run an operation to its end, and send its progress."""
        return follow(events, self.progress)

    @contextlib.contextmanager
    def report_compiling(self) -> Iterator[None]:
        """Send a notice when Numba begins to compile, which takes long once."""
        from kadr.storage.kernel_cache import prepare_kernel_cache
        from kadr.tasks.compiling import on_first_compile
        from kadr.tasks.supervisor import COMPILING

        text = prepare_kernel_cache()
        if text:
            self.notice(text)

        def notify() -> None:
            self._timers.restart()
            self.notice(COMPILING)

        with on_first_compile(notify):
            yield
