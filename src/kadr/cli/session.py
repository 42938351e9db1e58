"""The body of a command in, an exit code out: errors as one line, Ctrl-C, progress."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import traceback
from collections.abc import Generator, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import typer

from kadr.cli.guard import (
    DEBUG_VARIABLE,
    FAILED,
    STOPPED,
    explain,
    interrupted,
    on_interrupt,
)
from kadr.cli.reporter import Reporter, create_reporter
from kadr.core.events import CancelToken, Event, Result, follow
from kadr.core.locations import message_text
from kadr.errors import Cancelled
from kadr.remote.looked_up import look_once
from kadr.remote.transfers import on_transfer
from kadr.storage.kernel_cache import prepare_kernel_cache


class Session:
    """What a command works with: a reporter, and a cancel token that Ctrl-C sets."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.cancel = CancelToken()
        self.stopped_text = "stopped; nothing was written under the final name"
        """The text after Ctrl-C; a command that keeps finished work sets another one."""
        self._compiling_reported = False
        self._kernel_notice = prepare_kernel_cache()

    def follow(self, events: Generator[Event, None, Result]) -> Result:
        """Run a long operation to its end and draw its events; returns what the generator returns.

        The first Ctrl-C sets ``cancel``, which the work must have: it stops at the next frame. A
        second one interrupts at once.
        """
        with self._interruptible(), self.reporter.progress() as draw:

            def on_event(event: Event) -> None:
                if event.message and event.message == _compiling_text():  # from a worker process
                    self._report_compiling()
                    event = replace(event, message="")
                draw(event)

            return follow(events, on_event)

    @contextlib.contextmanager
    def report_compiling(self) -> Iterator[None]:
        """Print one notice when Numba begins to compile, because this takes long."""
        from kadr.tasks.compiling import on_first_compile

        if self._kernel_notice:
            self.reporter.notice(self._kernel_notice)
        with on_first_compile(self._report_compiling):
            yield

    def _report_compiling(self) -> None:
        if not self._compiling_reported:
            self._compiling_reported = True
            self.reporter.compiling(_compiling_text())

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let the first SIGINT or SIGTERM set ``cancel``; the next one ends the process at once."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        # an ignored signal stays ignored, and a handler of somebody else stays in place
        default = (signal.default_int_handler, on_interrupt, signal.SIG_DFL)
        handled = [number for number, handler in before.items() if handler in default]
        if threading.current_thread() is not threading.main_thread():
            handled = []

        def restore() -> None:
            for number in handled:
                signal.signal(number, before[number])

        def stop(number: int, frame: FrameType | None) -> None:
            restore()
            self.cancel.cancel()

        for number in handled:
            signal.signal(number, stop)
        try:
            yield
        finally:
            restore()


def _compiling_text() -> str:
    from kadr.tasks.supervisor import COMPILING

    return COMPILING


@contextlib.contextmanager
def open_session(*, quiet: bool = False, json: bool = False, verbose: int = 0) -> Iterator[Session]:
    """Run the body of a command; raises typer.Exit with 2 after an error, with 130 after Ctrl-C.

    Errors that kadr raises on purpose become one line on stderr (with ``-vv`` or KADR_DEBUG set,
    after their traceback). Others are faults of kadr and pass through to ``guarded``.
    """
    with create_reporter(quiet=quiet, json=json) as reporter, _logging(reporter, quiet, verbose):
        session = Session(reporter)
        try:
            with look_once(), on_transfer(reporter.notice):
                yield session
        except (Cancelled, KeyboardInterrupt):
            reporter.error("Cancelled", session.stopped_text)
            raise typer.Exit(STOPPED) from None
        except Exception as error:
            if interrupted.is_set():  # what a library made of Ctrl-C
                reporter.error("Cancelled", session.stopped_text)
                raise typer.Exit(STOPPED) from None
            line = explain(error)
            if line is None:
                raise
            if verbose > 1 or os.environ.get(DEBUG_VARIABLE):
                reporter.debug(traceback.format_exc())
            reporter.error(type(error).__name__, line)
            raise typer.Exit(FAILED) from None


@contextlib.contextmanager
def _logging(reporter: Reporter, quiet: bool, verbose: int) -> Iterator[None]:
    """Send log lines of the library to the reporter."""

    class _ToReporter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reporter.debug(self.format(record))

    class _OneLine(logging.Formatter):
        def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name
            return message_text(super().formatMessage(record))

    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    level = logging.ERROR if quiet else levels[min(verbose, 2)]
    log, handler = logging.getLogger("kadr"), _ToReporter()
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    before: Any = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]
