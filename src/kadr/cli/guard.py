"""What went wrong in a command line in, one line on stderr and an exit code out.

Light, so that it is in place before anything else is imported.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

from kadr.core.formatting import shorten
from kadr.core.locations import message_text
from kadr.errors import KadrError

FAILED, FAULT, STOPPED, UNREAD = 2, 70, 130, 141
"""Exit codes: an error that kadr explains; a fault of kadr; Ctrl-C; nobody reads the output."""

DEBUG_VARIABLE = "KADR_DEBUG"
"""The environment variable that shows tracebacks as ``-vv`` does."""

interrupted = threading.Event()
"""Set once Ctrl-C was pressed: what follows from it is no fault, whatever a library makes of it."""


def on_interrupt(number: int, frame: FrameType | None) -> None:
    """The handler of Ctrl-C outside of long operations."""
    interrupted.set()
    raise KeyboardInterrupt


def guarded(run: Callable[[], int], words: Sequence[str], program: str) -> int:
    """The exit code of ``run``, whatever it raises; words: the command line, without the program.

    An exception that is not meant for the user becomes one line that names a file with its
    traceback; with ``-vv`` in the words the traceback is printed as well.
    """
    output = _output_file()
    try:
        code = run()
        # what the interpreter writes at its end cannot be guarded
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException as error:
        return _report(error, words, program, output)
    return code


def explain(error: BaseException) -> str | None:
    """The line for an error that is not a fault of kadr; None for a fault."""
    if isinstance(error, KadrError):
        return str(error)
    if _is_low_memory(error):
        return "not enough memory; close other programs, or work on a smaller clip"
    if isinstance(error, RuntimeError) and str(error).startswith("cannot cache function"):
        return "no folder to keep compiled kernels in; set NUMBA_CACHE_DIR to one you may write to"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        path = "" if error.filename is None else f"{error.filename}: "
        return f"{path}the disk is full; free some space, or work on another disk"
    if isinstance(error, OSError) and error.filename is not None and error.errno in _REMEDIES:
        reason = (error.strerror or "").lower()
        return f"{shorten(os.fsdecode(error.filename), 300)}: {reason}; {_REMEDIES[error.errno]}"
    return None


def _is_low_memory(error: BaseException) -> bool:
    """Whether the system refused memory; libraries that cannot be loaded for it say so in words."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        # FFmpeg gives the second one when it gets no more threads
        if isinstance(cause, MemoryError) or number in (errno.ENOMEM, errno.EAGAIN):
            return True
        if isinstance(cause, (OSError, ImportError, RuntimeError)) and any(
            text in str(cause) for text in _LOW_MEMORY
        ):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


_LOW_MEMORY = (
    "failed to map segment",
    "annot allocate memory",
    "can't start new thread",
    "paging file is too small",
)
_REMEDIES = {
    errno.EACCES: "check who may read and write it",
    errno.EPERM: "check who may read and write it",
    errno.EROFS: "work in a folder that can be written",
    errno.ENAMETOOLONG: "most disks allow names of 255 bytes, choose a shorter one",
    errno.ELOOP: "check where its links lead",
    errno.EIO: "check the disk, or copy the file again",
    errno.EMFILE: "close other programs, or allow more open files",
    errno.ENFILE: "close other programs, or allow more open files",
}
"""What the system may refuse anywhere, and what to do about it."""


def report_fault(error: BaseException, words: Sequence[str], program: str) -> None:
    """Print one line about a fault of kadr, after writing its traceback into a log file."""
    from kadr.cli.fault_log import write_log

    cause = str(error).strip().partition("\n")[0]
    text = f"unexpected {type(error).__name__}" + (f": {cause}" if cause else "")
    log = write_log(error, words, program)
    remedy = "run again with -vv and report what it prints" if log is None else f"report it, {log}"
    line = f"{text}; this is a fault of kadr: {remedy}"
    if _verbosity(words) > 1 or os.environ.get(DEBUG_VARIABLE):
        trace = "".join(traceback.format_exception(error)).rstrip().split("\n")
        _print("\n".join(map(message_text, trace)))
    _print_error("Fault", line, words)


def _output_file() -> tuple[int, int]:
    """Which file the standard output is, by its device and number there; (0, 0) for none."""
    try:
        status = os.fstat(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return 0, 0
    return status.st_dev, status.st_ino


def _report(
    error: BaseException, words: Sequence[str], program: str, output: tuple[int, int]
) -> int:
    """Report what ended a command, and return the exit code for it."""
    if isinstance(error, SystemExit):
        # Typer ends the process quietly after an OSError of any broken pipe
        if not isinstance(error.__context__, BrokenPipeError):
            return error.code if isinstance(error.code, int) else FAILED if error.code else 0
        error = error.__context__
    if isinstance(error, KeyboardInterrupt) or interrupted.is_set():
        _print_error("Cancelled", "stopped", words)
        return STOPPED
    if isinstance(error, BrokenPipeError) and _is_unread(output):
        # the interpreter flushes the streams at its end: give them another place
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(nothing, stream.fileno())
        os.close(nothing)
        return UNREAD
    line = explain(error)
    if line is not None:
        _print_error(type(error).__name__, line, words)
        return FAILED
    report_fault(error, words, program)
    return FAULT


def _is_unread(output: tuple[int, int]) -> bool:
    """Whether nobody reads the standard output, which was ``output``, or the standard error."""
    if _output_file() != output:  # Rich puts another one in its place
        return True
    try:
        import select

        poll = select.poll()
        for stream in (sys.stdout, sys.stderr):
            poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # not on Windows; a stream without a file
        return True


def _print_error(kind: str, text: str, words: Sequence[str]) -> None:
    line = message_text(text)
    if "--json" in words:
        with contextlib.suppress(OSError, ValueError):
            print(json.dumps({"event": "error", "kind": kind, "message": line}), flush=True)
    _print(line if kind == "Cancelled" else f"error: {line}")


def _print(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _verbosity(words: Sequence[str]) -> int:
    """How often ``-v`` or ``--verbose`` stands in a command line."""
    short = (word for word in words if word.startswith("-v") and not word.strip("-v"))
    return sum(word == "--verbose" for word in words) + sum(word.count("v") for word in short)
