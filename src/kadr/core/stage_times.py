"""Measure how many seconds of a core each stage of each step of a run takes.

A stage is a block of code in ``with stage(name)``. The outermost one on a thread is a step of the
run (``propagate``), the innermost one a stage of it (``search``). Only the innermost one counts, so
the times of all stages sum to that of the whole. Each thread counts the time that it computed, not
the time that it waited; threads that kadr starts count for the stage that started them. It costs a
few microseconds a block, so it is always on. Times are those of the process: two runs in one
process at a time are not kept apart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

StageTimes: TypeAlias = dict[tuple[str, str], float]
"""(step, stage) → seconds of a core; "" is the rest of a step, outside of its stages."""

OTHER = "other"
"""The step of all that ran outside of steps, by kind of process: its start, and threads that FFmpeg
and OpenCV start."""
MAIN, WORKERS = "main process", "workers"
"""Kinds of processes."""

Item = TypeVar("Item")

_clock = time.thread_time
_process_clock = time.process_time
_lock = threading.Lock()
_totals: StageTimes = {}
_process = MAIN
_taken_at = 0.0


class _Thread(threading.local):
    """The open stages of a thread, outermost first, and when it last counted its time."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.counted_at = 0.0

    def count(self) -> None:
        """Add the time since the last call to the innermost open stage."""
        now = _clock()
        if self.open:
            key = self.open[0], self.open[-1] if len(self.open) > 1 else ""
            with _lock:
                _totals[key] = _totals.get(key, 0.0) + now - self.counted_at
        self.counted_at = now


_thread = _Thread()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time of the block, on this thread, for the stage ``name``."""
    _thread.count()
    stages, depth = _thread.open, len(_thread.open)
    stages.append(name)
    try:
        yield
    finally:
        _thread.count()
        del stages[depth:]  # not of ``_thread``: a generator may be closed on another thread


def timed(name: str, items: Iterable[Item]) -> Iterator[Item]:
    """Yield ``items``; the time in which they are computed counts for the stage ``name``."""
    iterator = iter(items)
    while True:
        with stage(name):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


def open_stages() -> tuple[str, ...]:
    """The open stages of this thread, for ``in_stages`` on another thread."""
    return tuple(_thread.open)


@contextmanager
def in_stages(names: tuple[str, ...]) -> Iterator[None]:
    """Count the block on this thread for stages that are open on another thread."""
    _thread.count()
    previous, _thread.open = _thread.open, list(names)
    try:
        yield
    finally:
        _thread.count()
        _thread.open = previous


def start_times() -> None:
    """Forget what this process counted so far."""
    take_times()


def set_process(kind: str) -> None:
    """Say what kind of process this is."""
    global _process
    _process = kind


def take_times() -> StageTimes:
    """What this process counted since the last call; ``OTHER`` is the rest of its computing time.

    A stage that is open now is not complete in it: it counts for OTHER, and is taken from it again
    by the next call, so that only a single call may be below zero, never the sum.
    """
    global _taken_at
    with _lock:
        now = _process_clock()
        times = dict(_totals)
        _totals.clear()
        rest, _taken_at = now - _taken_at - sum(times.values()), now
    times[OTHER, _process] = rest
    return times


def add_times(total: StageTimes, times: Mapping[tuple[str, str], float]) -> None:
    """Add times to those of ``total``."""
    for key, seconds in times.items():
        total[key] = total.get(key, 0.0) + seconds
