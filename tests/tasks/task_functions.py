"""Functions of tasks for the tests of executors; small, and none runs longer than half a minute."""

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

MOST_SECONDS = 30


class StubbornError(Exception):
    """An error that pickle takes and cannot give back."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def count(task: Task, context: TaskContext) -> Iterator[Item]:
    """Items ``start`` to ``stop``, their digests made of the seed and the index."""
    for index in range(task.values["start"], task.values["stop"]):
        yield Item(index, f"{task.id}/{index}", digest(task.seed, index))


def tell_values(task: Task, context: TaskContext) -> Iterator[Notice | PartialProgress]:
    """Tell what arrived, in each way that there is."""
    context.notify("told")
    yield Notice(task.to_json())
    yield PartialProgress(1, 2)


def tell_threads(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Tell how many threads each party may use."""
    import cv2

    yield Notice(f"{context.threads} {default_threads()} {cv2.getNumThreads()}")


def until_threads(task: Task, context: TaskContext) -> Iterator[Item]:
    """Go on until there are ``threads``."""
    for index in range(MOST_SECONDS * 100):
        yield Item(index, "", str(context.threads))
        if context.threads == task.values["threads"]:
            return
        time.sleep(0.01)
    raise AssertionError(f"still {context.threads} threads")


def tell_pid(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Tell which process runs it, then take a moment."""
    yield Notice(str(os.getpid()))
    time.sleep(task.values.get("seconds", 0.0))


def wait(task: Task, context: TaskContext) -> Iterator[Notice | Item]:
    """Make items until asked to stop; first tell which process runs it."""
    yield Notice(str(os.getpid()))
    for index in range(MOST_SECONDS * 100):
        yield Item(index, "", "")
        time.sleep(0.01)


def wait_inside(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Yield once, then ask for the flag itself."""
    yield Notice("waiting")
    for _ in range(MOST_SECONDS * 100):
        context.cancel.check()
        time.sleep(0.01)


def deaf(task: Task, context: TaskContext) -> Iterator[Notice]:
    """Never ask whether to stop."""
    yield Notice(str(os.getpid()))
    time.sleep(MOST_SECONDS)


def fail(task: Task, context: TaskContext) -> Iterator[Item]:
    """Make an item, count the run in a file, then fail as asked."""
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
    """Keep a file for each item; while fewer than ``deaths`` tried it, die at item ``at``."""
    folder = Path(task.values["folder"])
    with (folder / f"{task.id}-runs").open("a") as file:
        file.write("x")
    runs = (folder / f"{task.id}-runs").stat().st_size
    for index in range(task.values["stop"]):
        if index == task.values["at"] and runs <= task.values["deaths"]:
            print("these are the last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / f"{task.id}-{index}").touch()
        yield Item(index, f"{index}", digest(index))


def speak(task: Task, context: TaskContext) -> Iterator[Item]:
    """Say things in all the ways that code does."""
    log = logging.getLogger("kadr.anything")
    log.info("not worth telling")
    log.warning("a frame of %d is odd", 7)
    warnings.warn("soon gone", UserWarning, stacklevel=1)
    print("printed", flush=True)
    os.write(1, b"written to the standard output\n")
    yield Item(0, "", "")


def compile_kernel(task: Task, context: TaskContext) -> Iterator[Item]:
    """Compile a kernel that no cache has."""
    import numba

    yield Item(0, "", str(numba.njit(lambda x: x + 1)(task.values["number"])))
