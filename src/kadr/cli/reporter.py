"""Events, notices, results and errors in; bars and lines, or JSON objects, out.

Results go to stdout, everything else to stderr. With ``json`` everything is an object on stdout,
one per line, each with an "event": progress, notice, result or error; an error goes to stderr too.
What a terminal would obey, in the name of a file for example, is escaped here, for all of them.
"""

from __future__ import annotations

import contextlib
import json as json_module
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from kadr.cli.time_left import StepTimers
from kadr.core.events import Event
from kadr.core.formatting import printable
from kadr.core.locations import mask_secrets, message_text, origin, readable

Draw = Callable[[Event], None]

_LINE_INTERVAL = 10.0
"""Seconds between progress lines if there is no terminal to draw bars on."""


class Reporter:
    """Prints lines for people; ``progress`` gives a function that draws events."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self._timers = StepTimers()

    def result(self, *lines: str, **facts: Any) -> None:
        """Print the result of a command, for people and, as facts, for programs."""
        for line in lines:
            print(printable(readable(line)), file=self._out, flush=True)

    def notice(self, text: str) -> None:
        """Print a notice."""
        print(message_text(text), file=self._err, flush=True)

    def debug(self, text: str) -> None:
        """Print a log line, or the lines of a traceback."""
        print("\n".join(map(message_text, text.split("\n"))), file=self._err, flush=True)

    def error(self, kind: str, text: str) -> None:
        """Print an error as one line."""
        line = message_text(text)
        print(line if kind == "Cancelled" else f"error: {line}", file=self._err, flush=True)

    def compiling(self, text: str) -> None:
        """Print a notice that kernels are compiled; this time does not count for the time left."""
        self._timers.restart()
        self.notice(text)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Draw]:
        """A function to call with every event."""
        if self._err.isatty():
            with self._bars() as draw:
                yield draw
        else:
            yield _PlainProgress(self.notice, self._timers)

    @contextlib.contextmanager
    def _bars(self) -> Iterator[Draw]:
        from kadr.cli.bars import bars

        stream = self._err
        with bars(stream, self._timers) as (draw, lines_above):
            self._err = lines_above
            try:
                yield draw
            finally:
                self._err = stream


class QuietReporter(Reporter):
    """Prints nothing but errors, and warnings of the library."""

    def result(self, *lines: str, **facts: Any) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def progress(self) -> Iterator[Draw]:
        """A function that does nothing."""
        yield lambda event: None


class JsonReporter(Reporter):
    """Prints for programs: one JSON object per line."""

    def result(self, *lines: str, **facts: Any) -> None:
        """``{"event": "result", …}`` with the facts; paths as text."""
        self._object(event="result", **facts)

    def notice(self, text: str) -> None:
        """``{"event": "notice", "message": …}``"""
        self._object(event="notice", message=mask_secrets(readable(text)))

    def error(self, kind: str, text: str) -> None:
        """``{"event": "error", "kind": …, "message": …}``"""
        self._object(event="error", kind=kind, message=mask_secrets(readable(text)))
        super().error(kind, text)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Draw]:
        """A function that prints ``{"event": "progress", …}``."""
        start = time.monotonic()
        yield lambda event: self._object(
            event="progress",
            step=event.step,
            index=event.index,
            total=event.total,
            message=event.message,
            seconds=round(time.monotonic() - start, 3),
        )

    def _object(self, **facts: Any) -> None:
        print(json_line(facts), file=self._out, flush=True)


def json_line(facts: Mapping[str, Any]) -> str:
    """JSON in one line; what a terminal would obey is escaped, which programs read as it was."""
    line = json_module.dumps(facts, ensure_ascii=False, default=_plain)
    if printable(line) == line:
        return line
    return json_module.dumps(facts, default=_plain)


def _plain(value: object) -> object:
    return origin(value) or str(value) if isinstance(value, Path) else float(value)  # type: ignore[arg-type]


class _PlainProgress:
    """A progress line at intervals, for logs, where bars cannot be drawn."""

    def __init__(self, notice: Callable[[str], None], timers: StepTimers) -> None:
        self._notice, self._timers = notice, timers
        self._last_line = time.monotonic()

    def __call__(self, event: Event) -> None:
        timer = self._timers.update(event)
        if event.message:
            self._notice(event.message)
        now = time.monotonic()
        if now - self._last_line < _LINE_INTERVAL:
            return
        self._last_line = now
        line = f"{event.step}: {event.index}" + (f" of {event.total}" if event.total else "")
        if timer.speed is not None:
            line += f", {timer.speed:.2f} frames/s"
        seconds = timer.seconds_left(event.total)
        if seconds is not None:
            line += f", {timedelta(seconds=round(seconds))} left"
        self._notice(line)


@contextlib.contextmanager
def create_reporter(*, quiet: bool = False, json: bool = False) -> Iterator[Reporter]:
    """The reporter for the flags; ``json`` has priority over ``quiet``."""
    kind = JsonReporter if json else QuietReporter if quiet else Reporter
    yield kind(sys.stdout, sys.stderr)
