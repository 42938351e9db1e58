"""The scripts ``kadr`` and ``kadr-ebsynth``: they are guarded before anything is imported.

Imports next to nothing itself: whoever presses Ctrl-C while libraries load gets no traceback.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module that has it is not loaded yet
    import threading
    from types import FrameType

_STOPPED = 130


def main() -> int:
    """Run ``kadr`` with the command line of this process; returns its exit code."""
    return _start("kadr.cli.main", "kadr")


def ebsynth() -> int:
    """Run ``kadr-ebsynth`` with the command line of this process; returns its exit code."""
    return _start("kadr.cli.ebsynth", "kadr-ebsynth")


def _start(module: str, program: str) -> int:
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handled:  # a library that is half loaded may turn the exception into another one
        signal.signal(signal.SIGINT, _exit)
    try:
        code = _run(module, program, handled)
    except KeyboardInterrupt:  # once more, while the first one was reported
        code = _STOPPED
    if handled:
        # what the interpreter still does at its end has no guard: it ends without a word
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if handled and code == _STOPPED:
        # Python would end by the signal instead, if the exception went through an exec()
        os._exit(code)
    return code


def _run(module: str, program: str, handled: bool) -> int:
    """Import the module of a command line and call its ``main``, both guarded."""
    import importlib

    from kadr.cli.guard import guarded, on_interrupt

    words = sys.argv[1:]

    def run() -> int:
        main = importlib.import_module(module).main
        if handled:
            signal.signal(signal.SIGINT, on_interrupt)
        code: int = main()
        return code

    _open_streams()
    _guard_threads(words, program)
    return guarded(run, words, program)


def _exit(number: int, frame: FrameType | None) -> None:
    """End the process: nothing was begun that needs an end."""
    os._exit(_STOPPED)


def _open_streams() -> None:
    """Give closed standard streams a place, lest a file of the user becomes one of them."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "r" if descriptor == 0 else "w"
            stream = os.fdopen(descriptor, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)


def _guard_threads(words: list[str], program: str) -> None:
    """Report what ends a thread or a destructor in one line too."""
    import threading

    from kadr.cli.guard import report_fault

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            report_fault(arguments.exc_value, words, program)

    def in_destructor(arguments: sys.UnraisableHookArgs) -> None:
        if isinstance(arguments.exc_value, KeyboardInterrupt):
            # it came where it cannot be raised: let it come again a moment later
            again = threading.Timer(0.05, _interrupt_main)
            again.daemon = True
            again.start()
        elif arguments.exc_value is not None:
            import logging

            logging.getLogger("kadr").debug("ignored", exc_info=arguments.exc_value)

    threading.excepthook = in_thread
    sys.unraisablehook = in_destructor


def _interrupt_main() -> None:
    """Interrupt the main thread, also where it waits for the system."""
    import _thread
    import threading

    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
