"""The queue of a run's tasks: which may start next, by order, cores and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kadr.errors import BackendError, Cancelled, OptionsError
from kadr.tasks.executor import Failed
from kadr.tasks.task import Task


@dataclass(frozen=True)
class _Failure:
    """Why a task is not done, for the tasks that depend on it."""

    cancelled: bool


class TaskQueue:
    """Knows of each task whether it waits, runs, or has ended.

    cores: shared by all tasks. slots: tasks that may run at a time. free_memory: bytes available
    now, or None if that is not known.
    """

    def __init__(self, cores: int, slots: int, free_memory: Callable[[], int | None]) -> None:
        self._cores, self._slots, self._free_memory = cores, slots, free_memory
        self._waiting: dict[str, Task] = {}
        self._running: dict[str, Task] = {}
        self._ended: dict[str, _Failure | None] = {}
        self._memory_limit: int | None = None

    @property
    def running(self) -> list[str]:
        """Ids of the tasks that run, in the order of their start."""
        return list(self._running)

    @property
    def waiting(self) -> list[str]:
        """Ids of the tasks that do not run yet."""
        return list(self._waiting)

    @property
    def all_done(self) -> bool:
        """Whether every task is complete."""
        unfinished = self._waiting or self._running
        return not unfinished and all(failure is None for failure in self._ended.values())

    def limit_slots(self, count: int) -> None:
        """Let at most ``count`` tasks run at a time from now on."""
        self._slots = min(self._slots, count)

    def add(self, task: Task) -> None:
        """Add a task. Raises OptionsError if its id was used or it depends on unknown tasks."""
        ids = self._waiting.keys() | self._running.keys() | self._ended.keys()
        if task.id in ids:
            raise OptionsError(f"task {task.id}: this id was used already; choose another")
        for before in task.after:
            if before not in ids:
                raise OptionsError(
                    f"task {task.id}: comes after {before!r}, which is unknown; add that one first"
                )
        self._waiting[task.id] = task

    def next(self) -> Task | None:
        """Take the task that starts now; None if none can.

        If the first in line does not fit, those behind it wait too: otherwise small tasks could
        delay a large one forever. When nothing runs, the first one fits, whatever it asks for.
        """
        ready = [task for task in self._waiting.values() if self._ready(task)]
        if not ready:
            return None
        first = max(ready, key=lambda task: task.priority)  # of equals the first added
        if self._running and not self._fits(first):
            return None
        if not self._running:
            self._memory_limit = self._free_memory()
        self._running[first.id] = self._waiting.pop(first.id)
        return first

    def done(self, task_id: str) -> None:
        """A running task is complete."""
        del self._running[task_id]
        self._ended[task_id] = None

    def failed(self, task_id: str, error: Exception) -> None:
        """A waiting or running task ended and is not complete."""
        self._waiting.pop(task_id, None)
        self._running.pop(task_id, None)
        self._ended[task_id] = _Failure(isinstance(error, Cancelled))

    def requeue(self, task_id: str) -> None:
        """A running task waits again."""
        self._waiting[task_id] = self._running.pop(task_id)

    def blocked(self) -> list[Failed]:
        """Take the waiting tasks that can never start, because one that they depend on failed."""
        events = []
        for task in list(self._waiting.values()):
            for before in task.after:
                failure = self._ended.get(before)
                if failure is None:
                    continue
                text = f"{task.id}: not started; {before}, which it needs, "
                error = (
                    Cancelled(f"{text}was stopped")
                    if failure.cancelled
                    else BackendError(f"{text}failed")
                )
                self.failed(task.id, error)
                events.append(Failed(task.id, error, lost=not failure.cancelled))
                break
        return events

    def shares(self) -> dict[str, int]:
        """Cores for each running task: what it asked for, and a share of the spare ones."""
        requested = {task.id: self._requested(task) for task in self._running.values()}
        return share_out(requested, self._cores)

    def _ready(self, task: Task) -> bool:
        return all(before in self._ended and self._ended[before] is None for before in task.after)

    def _requested(self, task: Task) -> int:
        return min(task.cores, self._cores)

    def _fits(self, task: Task) -> bool:
        running = self._running.values()
        if len(running) >= self._slots:
            return False
        if self._requested(task) > self._cores - sum(self._requested(other) for other in running):
            return False
        # running tasks may not have taken all of their memory yet, other programs may have it
        limit, free = self._memory_limit, self._free_memory()
        reserved = sum(other.memory for other in running)
        return (limit is None or reserved + task.memory <= limit) and (
            free is None or task.memory <= free
        )


def share_out(requested: Mapping[str, int], cores: int) -> dict[str, int]:
    """Cores for each task: what it asked for, and a share of the spare ones of ``cores``."""
    shares, task_ids = dict(requested), list(requested)
    for spare in range(cores - sum(shares.values())):
        if task_ids:
            shares[task_ids[spare % len(task_ids)]] += 1
    return shares
