"""Small task functions for the tests of executors; none runs longer than half a minute."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from kadr.core.row_bands import default_threads
from kadr.errors import InputError, OutputError
from kadr.tasks.task import Item, Notice, PartialProgress, Task, TaskContext

MAX_SECONDS = 30


class StubbornError(Exception):
    """An error that can be pickled but not unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def count(task: Task, context: TaskContext) -> Iterator[Item]:
    """Yield items ``start`` to ``stop``; their digests depend on the seed and the index."""
    for index in range(task.values["start"], task.values["stop"]):
        yield Item(index, f"{task.id}/{index}", digest(task.seed, index))


def report_values(task: Task, context: TaskContext) -> Iterator[Notice | PartialProgress]:
    """Report the task's values by both kinds of notices, then some progress."""
    context.notify("notified")
    yield Notice(task.to_json())
    yield PartialProgress(1, 2)


def report_threads(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Report how many threads the task, kadr and OpenCV may use."""
    import cv2

    yield Notice(f"{context.threads} {default_threads()} {cv2.getNumThreads()}")


def wait_for_threads(task: Task, context: TaskContext) -> Iterator[Item]:
    """Yield items until the task has ``threads`` threads."""
    for index in range(MAX_SECONDS * 100):
        threads = context.threads  # read once: it may change at any time
        yield Item(index, "", str(threads))
        if threads == task.values["threads"]:
            return
        time.sleep(0.01)
    raise AssertionError(f"still {context.threads} threads")


def report_pid(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Report the process id, then sleep for ``seconds``."""
    yield Notice(str(os.getpid()))
    time.sleep(task.values.get("seconds", 0.0))


def wait(task: Task, context: TaskContext) -> Iterator[Notice | Item]:
    """Report the process id, then yield items until cancelled."""
    yield Notice(str(os.getpid()))
    for index in range(MAX_SECONDS * 100):
        yield Item(index, "", "")
        time.sleep(0.01)


def wait_inside(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Yield once, then check the cancel token until cancelled."""
    yield Notice("waiting")
    for _ in range(MAX_SECONDS * 100):
        context.cancel.check()
        time.sleep(0.01)


def ignore_cancel(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Report the process id, then ignore a cancellation."""
    yield Notice(str(os.getpid()))
    time.sleep(MAX_SECONDS)


def fail(task: Task, context: TaskContext) -> Iterator[Item]:
    """Yield an item, count the run in a file, then raise the error of this ``kind``."""
    yield Item(0, "", "")
    with Path(task.values["runs"]).open("a") as file:
        file.write("x")
    match task.values["kind"]:
        case "value":
            raise ValueError("seven is too many")
        case "input":
            raise InputError("clip.mp4: not a clip; give another")
        case "output":
            raise OutputError("out.png: cannot be written (no space left); free some")
        case "system":
            raise FileNotFoundError(2, "No such file or directory", "gone.png")
        case "stubborn":
            raise StubbornError("this", "that")
        case "exit":
            raise SystemExit(3)
        case "memory":
            raise MemoryError


def die(task: Task, context: TaskContext) -> Iterator[Item]:
    """Write a file for each item; die at ``fatal_index`` in the first ``deaths`` runs."""
    folder = Path(task.values["folder"])
    with (folder / f"{task.id}-runs").open("a") as file:
        file.write("x")
    runs = (folder / f"{task.id}-runs").stat().st_size
    for index in range(task.values["stop"]):
        if index == task.values["fatal_index"] and runs <= task.values["deaths"]:
            print("these are the last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / f"{task.id}-{index}").touch()
        yield Item(index, f"{index}", digest(index))


def print_and_warn(task: Task, context: TaskContext) -> Iterator[Item]:
    """Log, warn, print and write to the standard output."""
    log = logging.getLogger("kadr.anything")
    log.info("not important")
    log.warning("a frame of %d is odd", 7)
    warnings.warn("soon gone", UserWarning, stacklevel=1)
    print("printed", flush=True)
    os.write(1, b"written to the standard output\n")
    yield Item(0, "", "")


def compile_kernel(task: Task, context: TaskContext) -> Iterator[Item]:
    """Compile a kernel that no cache has."""
    import numba

    yield Item(0, "", str(numba.njit(lambda x: x + 1)(task.values["number"])))
