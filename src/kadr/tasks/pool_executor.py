"""An executor that hands tasks to the workers of a pool; where those run is for others to say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator

from kadr.core.closing import Closing
from kadr.core.events import CancelToken
from kadr.errors import OptionsError
from kadr.tasks.executor import Done, Failed, TaskEvent, check_window
from kadr.tasks.pool import Pool
from kadr.tasks.queue import TaskQueue
from kadr.tasks.supervisor import Supervisor
from kadr.tasks.task import Task


class PoolExecutor(Closing):
    """An Executor whose workers start when needed and stay until it is closed.

    Workers ignore Ctrl-C: the reader of the events decides what it means. If this process dies,
    they end too. A task's log lines from warning on come as NoticeGiven, and so does, once, the
    notice that kernels are being compiled.
    """

    def __init__(self, pool: Pool, cores: int, workers: int) -> None:
        """cores: shared by all tasks. workers: the most at a time."""
        self._pool, self._cores, self._workers = pool, cores, workers
        self._run: Supervisor | None = None
        self._closed = False

    @property
    def cores(self) -> int:
        """How many cores all tasks together may use."""
        return self._cores

    def run(
        self, tasks: Iterable[Task], window: int, cancel: CancelToken | None = None
    ) -> Generator[TaskEvent, None, None]:
        """Run the tasks; see Executor."""
        check_window(window)
        if self._closed or self._run is not None:
            raise RuntimeError("executor closed" if self._closed else "executor runs already")
        stop = cancel or CancelToken()
        slots = min(self._workers, self._pool.most_workers)
        task_queue = TaskQueue(self._cores, slots, self._free_memory)
        self._run = supervisor = Supervisor(self._pool, task_queue, stop)
        try:
            complete = yield from _events(supervisor, iter(tasks), window)
        finally:
            supervisor.end()
            self._run = None
        if not complete:
            stop.check()

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop at its next frame; after ``grace`` seconds it is killed."""
        run = self._run
        if run is not None:
            run.cancel(task_id, grace)

    def close(self) -> None:
        """End all workers."""
        self._closed = True
        run = self._run
        if run is not None:
            run.end()
        self._pool.close(busy_only=False)

    @abstractmethod
    def _free_memory(self) -> int | None:
        """Bytes available for tasks now; None if that is not known."""


def check_counts(**counts: int | None) -> None:
    """Raise OptionsError if a number that is not None is less than 1."""
    for name, value in counts.items():
        if value is not None and value < 1:
            raise OptionsError(f"{name} {value}: expected 1 or more")


def _events(
    supervisor: Supervisor, tasks: Iterator[Task], window: int
) -> Generator[TaskEvent, None, bool]:
    """Take tasks and yield events to the end; returns whether all were taken and are complete."""
    active, exhausted, complete = 0, False, True
    while True:
        new_tasks: list[Task] = []
        while not (exhausted or supervisor.stopping) and active < window:
            task = next(tasks, None)
            if task is None:
                exhausted = True
            else:
                new_tasks.append(task)
                active += 1
        if new_tasks:
            supervisor.add(new_tasks)
        if not active:
            return exhausted and complete
        event = supervisor.events.get()
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, (Done, Failed)):
            active -= 1
            complete = complete and isinstance(event, Done)
        yield event
