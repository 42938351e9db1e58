"""One command's work in, an exit code out: errors as one line, Ctrl-C clean, events drawn."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import signal
import threading
import traceback
from collections.abc import Generator, Iterator
from types import FrameType
from typing import Any

import typer

from kadr.cli.reporter import Reporter, create_reporter
from kadr.core.events import CancelToken, Event, Result, follow
from kadr.errors import Cancelled, KadrError

FAILED, STOPPED = 2, 130


class Session:
    """What a command works with: someone to speak through and a flag that Ctrl-C raises."""

    def __init__(self, create_reporter: Reporter) -> None:
        self.speaker = create_reporter
        self.cancel = CancelToken()
        self.stopped = "stopped; nothing was written under the final name"
        """What is said after Ctrl-C; a command that keeps what it made says so here."""

    def follow(self, events: Generator[Event, None, Result]) -> Result:
        """Run long work to its end, drawing its events; gives what the generator returns.

        The first Ctrl-C raises ``cancel``, so the work must have been given it; it stops at the
        next frame. A second one interrupts at once.
        """
        with self._interruptible(), self.speaker.progress() as draw:
            return follow(events, draw)

    @contextlib.contextmanager
    def announced_kernels(self) -> Iterator[None]:
        """Tell once, as Numba begins to compile: then, and only then, people have to wait."""
        from kadr.tasks.compiling import on_first_compile

        tell = functools.partial(self.speaker.notice, "Preparing kernels (first run only) …")
        with on_first_compile(tell):
            yield

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C, and being told to end, raise ``cancel`` once; the next one ends at once."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        # an ignored signal stays ignored, another's handler is another's business
        usual = (signal.default_int_handler, signal.SIG_DFL)
        ours = [number for number, handler in before.items() if handler in usual]
        if threading.current_thread() is not threading.main_thread():
            ours = []

        def restore() -> None:
            for number in ours:
                signal.signal(number, before[number])

        def stop(number: int, frame: FrameType | None) -> None:
            restore()
            self.cancel.cancel()

        for number in ours:
            signal.signal(number, stop)
        try:
            yield
        finally:
            restore()


@contextlib.contextmanager
def session(*, quiet: bool = False, json: bool = False, verbose: int = 0) -> Iterator[Session]:
    """Run a command's body; raises typer.Exit with 2 after an error, with 130 after Ctrl-C.

    Errors that kadr raises on purpose become one line on stderr (with ``-vv`` or KADR_DEBUG set,
    after their traceback). Others are faults of kadr and pass through.
    """
    with create_reporter(quiet=quiet, json=json) as said, _logging(said, quiet, verbose):
        now = Session(said)
        try:
            yield now
        except (Cancelled, KeyboardInterrupt):
            said.error("Cancelled", now.stopped)
            raise typer.Exit(STOPPED) from None
        except Exception as error:
            line = _in_a_line(error)
            if line is None:
                raise
            if verbose > 1 or os.environ.get("KADR_DEBUG"):
                said.debug(traceback.format_exc())
            said.error(type(error).__name__, line)
            raise typer.Exit(FAILED) from None


def _in_a_line(error: Exception) -> str | None:
    """What to tell people of an error that is not a fault of kadr's; else None."""
    if isinstance(error, KadrError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs, or work on a smaller clip"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}the disk is full; free some space, or work on another disk"
    if isinstance(error, RuntimeError) and str(error).startswith("cannot cache function"):
        return "no folder to keep compiled kernels in; set NUMBA_CACHE_DIR to one you may write to"
    return None


@contextlib.contextmanager
def _logging(said: Reporter, quiet: bool, verbose: int) -> Iterator[None]:
    """Log lines of the library go where the speaker's own lines go."""

    class _ToSpeaker(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.debug(self.format(record))

    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    level = logging.ERROR if quiet else levels[min(verbose, 2)]
    log, handler = logging.getLogger("kadr"), _ToSpeaker()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
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
