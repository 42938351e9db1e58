"""Drawn tasks in, the one that may start next out: order, cores and memory, without running any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kadr.errors import BackendError, Cancelled, OptionsError
from kadr.tasks.executor import Failed
from kadr.tasks.task import Task


@dataclass(frozen=True)
class _Failure:
    """Why a task is not done, as far as those that come after it care."""

    cancelled: bool


class TaskQueue:
    """Knows of each drawn task whether it waits, runs, or has ended.

    cores: shared by all. slots: tasks that may run at a time. free_memory: bytes that can be had
    now, or None if that is not known.
    """

    def __init__(self, cores: int, slots: int, free_memory: Callable[[], int | None]) -> None:
        self._cores, self._slots, self._free_memory = cores, slots, free_memory
        self._waiting: dict[str, Task] = {}
        self._running: dict[str, Task] = {}
        self._ended: dict[str, _Failure | None] = {}
        self._memory: int | None = None

    @property
    def running(self) -> list[str]:
        """Ids of the tasks that run, in the order of their start."""
        return list(self._running)

    @property
    def waiting(self) -> list[str]:
        """Ids of the tasks that were drawn and do not run yet."""
        return list(self._waiting)

    @property
    def all_done(self) -> bool:
        """Whether every drawn task has ended well."""
        left = self._waiting or self._running
        return not left and all(failure is None for failure in self._ended.values())

    def add(self, task: Task) -> None:
        """Let a task wait. Raises OptionsError if its id is taken or it names unknown tasks."""
        known = (self._waiting, self._running, self._ended)
        if any(task.id in each for each in known):
            raise OptionsError(f"task {task.id}: there is one of this id already; give it another")
        for before in task.after:
            if not any(before in each for each in known):
                raise OptionsError(
                    f"task {task.id}: comes after {before!r}, which is unknown; put that one first"
                )
        self._waiting[task.id] = task

    def next(self) -> Task | None:
        """Take the task that starts now; None if none can.

        Where the first in line does not fit, those behind it wait too: else small tasks could
        hold up a large one for ever. When nothing runs, the first fits, whatever it asks for.
        """
        ready = [task for task in self._waiting.values() if self._ready(task)]
        if not ready:
            return None
        first = max(ready, key=lambda task: task.priority)  # of equals the first drawn
        if self._running and not self._fits(first):
            return None
        if not self._running:
            self._memory = self._free_memory()
        self._running[first.id] = self._waiting.pop(first.id)
        return first

    def done(self, task_id: str) -> None:
        """A running task ended well."""
        del self._running[task_id]
        self._ended[task_id] = None

    def failed(self, task_id: str, error: Exception) -> None:
        """A waiting or running task will not be done."""
        self._waiting.pop(task_id, None)
        self._running.pop(task_id, None)
        self._ended[task_id] = _Failure(isinstance(error, Cancelled))

    def again(self, task_id: str) -> None:
        """A running task has to wait once more."""
        self._waiting[task_id] = self._running.pop(task_id)

    def stranded(self) -> list[Failed]:
        """Take the waiting tasks that can never start, since one that they come after failed."""
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
        """Cores for each running task: what it asked for, and of those left over its share."""
        shares = {task.id: self._asked(task) for task in self._running.values()}
        for spare in range(self._cores - sum(shares.values())):
            if shares:
                shares[self.running[spare % len(shares)]] += 1
        return shares

    def _ready(self, task: Task) -> bool:
        return all(before in self._ended and self._ended[before] is None for before in task.after)

    def _asked(self, task: Task) -> int:
        return min(task.cores, self._cores)

    def _fits(self, task: Task) -> bool:
        running = self._running.values()
        if len(running) >= self._slots:
            return False
        if self._asked(task) > self._cores - sum(self._asked(each) for each in running):
            return False
        # what runs may not have taken all yet that it asked for, others may have taken the rest
        limit, free = self._memory, self._free_memory()
        promised = sum(each.memory for each in running)
        return (limit is None or promised + task.memory <= limit) and (
            free is None or task.memory <= free
        )
