"""The workers of an executor: what one can do, and the pool that keeps them from task to task."""

from __future__ import annotations

import queue
from abc import ABC, abstractmethod
from typing import Any, Protocol

from kadr.tasks.queue import TaskQueue
from kadr.tasks.task import Task


class Worker(Protocol):
    """A process, wherever it is, that runs one task at a time.

    It puts ``(itself, message)`` into the inbox of its pool; the last message is WorkerExited.
    """

    task_id: str | None
    """The task that it runs."""
    kill_at: float | None
    """When to kill it, by ``time.monotonic``."""
    asked_to_stop: bool
    killed: bool
    """It was killed; its last message comes soon."""
    ready: bool
    """It has sent its first message."""
    error: Exception | None
    """The error that it sent before its end."""

    @property
    def name(self) -> str:
        """For people: the process and, if it may be another one, the machine."""
        ...

    @property
    def age(self) -> float:
        """Seconds since its start."""
        ...

    def send(self, command: object) -> None:
        """Send a command; if the worker has ended, its last message says so."""
        ...

    def kill(self, reason: str = "") -> None:
        """Kill it; its last message comes as if it had ended by itself, or with this reason."""
        ...

    def close(self, *, at_once: bool) -> None:
        """End it and wait. at_once: kill it; otherwise it ends when its task has ended."""
        ...


class Pool(ABC):
    """The workers of an executor, and the queue into which they put their messages."""

    def __init__(self, most_workers: int) -> None:
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.workers: list[Worker] = []
        self.compiling_announced = False
        self.most_workers = most_workers
        """Fewer, once one could not be started."""

    @abstractmethod
    def start(self, task: Task) -> Worker:
        """Start a worker that can run a task. Raises BackendError."""

    def idle(self, task: Task) -> Worker:
        """An idle worker for a task, started if there is none. Raises BackendError."""
        for worker in self.workers:
            if worker.task_id is None and not worker.killed:
                return worker
        worker = self.start(task)
        self.workers.append(worker)
        return worker

    def worker_of(self, task_id: str) -> Worker | None:
        """The worker that runs a task."""
        return next((worker for worker in self.workers if worker.task_id == task_id), None)

    def shares(self, task_queue: TaskQueue) -> dict[str, int]:
        """Cores for each running task."""
        return task_queue.shares()

    def close(self, *, busy_only: bool) -> None:
        """End the workers: busy ones are killed, idle ones end by themselves or, if asked, stay."""
        ending = [worker for worker in self.workers if worker.task_id is not None or not busy_only]
        for worker in ending:  # all of them first: each takes a while to end
            if worker.task_id is not None:
                worker.kill()
        for worker in ending:
            worker.close(at_once=worker.task_id is not None)
            self.workers.remove(worker)
