"""Events, notices, results and errors in; bars and lines, or JSON objects, out.

Results go to stdout, all else to stderr. With ``json`` all of it is objects on stdout, one a line,
each with an "event": progress, notice, result or error; an error is told on stderr too.
"""

from __future__ import annotations

import contextlib
import json as json_module
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from kadr.core.events import Event

Draw = Callable[[Event], None]

_PLAIN_EVERY = 10.0
"""Seconds between progress lines where there is no terminal to draw on."""


class Reporter:
    """Speaks to people through lines; ``progress`` lends a function that draws events."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def result(self, text: str, **facts: Any) -> None:
        """Say what was made."""
        print(text, file=self._out, flush=True)

    def notice(self, text: str) -> None:
        """Say something in passing."""
        print(text, file=self._err, flush=True)

    def debug(self, text: str) -> None:
        """Pass on a log line."""
        print(text, file=self._err, flush=True)

    def error(self, kind: str, text: str) -> None:
        """Say in one line why it ended; a name with a line break in it cannot make it two."""
        line = r"\n".join(text.splitlines())
        print(line if kind == "Cancelled" else f"error: {line}", file=self._err, flush=True)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Draw]:
        """Lend a function to call with every event."""
        if self._err.isatty():
            with self._bars() as draw:
                yield draw
        else:
            yield _PlainProgress(self.notice)

    @contextlib.contextmanager
    def _bars(self) -> Iterator[Draw]:
        from kadr.cli.bars import bars

        said = self._err
        with bars(said) as (draw, above):
            self._err = above  # lines said meanwhile go above the bars
            try:
                yield draw
            finally:
                self._err = said


class QuietReporter(Reporter):
    """Says nothing but errors, and warnings of the library."""

    def result(self, text: str, **facts: Any) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def progress(self) -> Iterator[Draw]:
        """Lend a function that does nothing."""
        yield lambda event: None


class JsonReporter(Reporter):
    """Speaks to programs: one JSON object a line."""

    def result(self, text: str, **facts: Any) -> None:
        """``{"event": "result", …}`` with the facts; paths as text."""
        self._object(event="result", **facts)

    def notice(self, text: str) -> None:
        """``{"event": "notice", "message": …}``"""
        self._object(event="notice", message=text)

    def error(self, kind: str, text: str) -> None:
        """``{"event": "error", "kind": …, "message": …}``"""
        self._object(event="error", kind=kind, message=text)
        super().error(kind, text)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Draw]:
        """Lend a function that writes ``{"event": "progress", …}``."""
        began = time.monotonic()
        yield lambda event: self._object(
            event="progress",
            step=event.step,
            index=event.index,
            total=event.total,
            message=event.message,
            seconds=round(time.monotonic() - began, 3),
        )

    def _object(self, **facts: Any) -> None:
        line = json_module.dumps(facts, ensure_ascii=False, default=_plain)
        print(line, file=self._out, flush=True)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else float(value)  # type: ignore[arg-type]


class _PlainProgress:
    """A line now and then: for logs, where bars cannot be drawn."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = time.monotonic()
        self._began: dict[str, tuple[int, float]] = {}

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        first, began = self._began.setdefault(event.step, (event.index, now))
        if event.message:
            self._say(event.message)
        if now - self._said < _PLAIN_EVERY:
            return
        self._said = now
        done, seconds = event.index - first, now - began
        line = f"{event.step}: {event.index}" + (f" of {event.total}" if event.total else "")
        if done > 0:
            line += f", {done / seconds:.2f} frames/s"
            if event.total:
                left = (event.total - event.index) * seconds / done
                line += f", {timedelta(seconds=round(left))} left"
        self._say(line)


@contextlib.contextmanager
def create_reporter(*, quiet: bool = False, json: bool = False) -> Iterator[Reporter]:
    """The speaker that the flags ask for; ``json`` has the last word."""
    kind = JsonReporter if json else QuietReporter if quiet else Reporter
    yield kind(sys.stdout, sys.stderr)
