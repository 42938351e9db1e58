"""The queue of a run's tasks: which may start next, by order, cores and memory."""

from __future__ import annotations

import heapq
import itertools
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
        # kept up to date with each change, so that none costs more with many tasks
        self._numbers: dict[str, int] = {}
        self._next_number = itertools.count()
        self._ready: list[tuple[float, int, str]] = []
        self._unmet: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        self._failed: list[str] = []
        self._requested_cores = self._reserved_memory = 0

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
        if self._is_known(task.id):
            raise OptionsError(f"task {task.id}: this id was used already; choose another")
        for before in task.after:
            if not self._is_known(before):
                raise OptionsError(
                    f"task {task.id}: comes after {before!r}, which is unknown; add that one first"
                )
        self._unmet[task.id] = {before for before in task.after if not self._is_done(before)}
        for before in self._unmet[task.id]:
            self._dependents.setdefault(before, []).append(task.id)
            if before in self._ended:
                self._failed.append(before)
        self._wait(task)

    def next(self) -> Task | None:
        """Take the task that starts now; None if none can.

        If the first in line does not fit, those behind it wait too: otherwise small tasks could
        delay a large one forever. When nothing runs, the first one fits, whatever it asks for.
        """
        first = self._first_ready()
        if first is None or (self._running and not self._fits(first)):
            return None
        if not self._running:
            self._memory_limit = self._free_memory()
        heapq.heappop(self._ready)
        self._running[first.id] = self._waiting.pop(first.id)
        self._requested_cores += self._requested(first)
        self._reserved_memory += first.memory
        return first

    def done(self, task_id: str) -> None:
        """A running task is complete."""
        self._stop(task_id)
        self._ended[task_id] = None
        for dependent in self._dependents.pop(task_id, ()):
            self._unmet[dependent].discard(task_id)
            if dependent in self._waiting:
                self._push_ready(dependent)

    def failed(self, task_id: str, error: Exception) -> None:
        """A waiting or running task ended and is not complete."""
        self._waiting.pop(task_id, None)
        if task_id in self._running:
            self._stop(task_id)
        self._ended[task_id] = _Failure(isinstance(error, Cancelled))
        self._failed.append(task_id)

    def requeue(self, task_id: str) -> None:
        """A running task waits again."""
        self._wait(self._stop(task_id))

    def blocked(self) -> list[Failed]:
        """Take the waiting tasks that can never start, because one that they depend on failed."""
        events = []
        while self._failed:
            for dependent in self._dependents.pop(self._failed.pop(), ()):
                if dependent in self._waiting:
                    events.append(self._block(self._waiting[dependent]))
        return sorted(events, key=lambda event: self._numbers[event.task])

    def _block(self, task: Task) -> Failed:
        """End a waiting task because of the first failed one that it depends on."""
        before, failure = next(
            (before, failure)
            for before in task.after
            if (failure := self._ended.get(before)) is not None
        )
        text = f"{task.id}: not started; {before}, which it needs, "
        error = (
            Cancelled(f"{text}was stopped") if failure.cancelled else BackendError(f"{text}failed")
        )
        self.failed(task.id, error)
        return Failed(task.id, error, lost=not failure.cancelled)

    def shares(self) -> dict[str, int]:
        """Cores for each running task: what it asked for, and a share of the spare ones."""
        requested = {task.id: self._requested(task) for task in self._running.values()}
        return share_out(requested, self._cores)

    def _is_known(self, task_id: str) -> bool:
        return task_id in self._waiting or task_id in self._running or task_id in self._ended

    def _is_done(self, task_id: str) -> bool:
        return task_id in self._ended and self._ended[task_id] is None

    def _wait(self, task: Task) -> None:
        self._waiting[task.id] = task
        self._numbers[task.id] = next(self._next_number)
        self._push_ready(task.id)

    def _push_ready(self, task_id: str) -> None:
        """Put a waiting task in line if nothing keeps it from starting."""
        if not self._unmet[task_id]:
            priority = self._waiting[task_id].priority
            heapq.heappush(self._ready, (-priority, self._numbers[task_id], task_id))

    def _first_ready(self) -> Task | None:
        """The task first in line: of equal priority the first added. Ended ones are dropped."""
        while self._ready:
            _, number, task_id = self._ready[0]
            if task_id in self._waiting and self._numbers[task_id] == number:
                return self._waiting[task_id]
            heapq.heappop(self._ready)
        return None

    def _stop(self, task_id: str) -> Task:
        task = self._running.pop(task_id)
        self._requested_cores -= self._requested(task)
        self._reserved_memory -= task.memory
        return task

    def _requested(self, task: Task) -> int:
        return min(task.cores, self._cores)

    def _fits(self, task: Task) -> bool:
        if len(self._running) >= self._slots:
            return False
        if self._requested(task) > self._cores - self._requested_cores:
            return False
        # running tasks may not have taken all of their memory yet, other programs may have it
        limit, free = self._memory_limit, self._free_memory()
        return (limit is None or self._reserved_memory + task.memory <= limit) and (
            free is None or task.memory <= free
        )


def share_out(requested: Mapping[str, int], cores: int) -> dict[str, int]:
    """Cores for each task: what it asked for, and a share of the spare ones of ``cores``."""
    shares, task_ids = dict(requested), list(requested)
    for spare in range(cores - sum(shares.values())):
        if task_ids:
            shares[task_ids[spare % len(task_ids)]] += 1
    return shares
