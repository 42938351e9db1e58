"""Run tasks in this process and thread: for short runs, and for debugging."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator

from kadr.core.closing import Closing
from kadr.core.events import CancelToken
from kadr.core.row_bands import default_threads
from kadr.errors import Cancelled, OptionsError
from kadr.tasks.executor import (
    Done,
    Failed,
    ItemStored,
    NoticeGiven,
    Started,
    TaskEvent,
    TaskSteps,
    check_window,
    is_fault,
    out_of_memory,
)
from kadr.tasks.queue import TaskQueue
from kadr.tasks.resources import limited_threads
from kadr.tasks.task import Task, TaskContext, digest_of, run_function


class InlineExecutor(Closing):
    """An Executor that runs one task after the other, each with all cores, as events are read.

    No worker can be lost, so no task is tried again, and none can be killed: ``grace`` is not
    used. Log lines of a task go to the log of this process.
    """

    def __init__(self, cores: int | None = None) -> None:
        """cores: threads that a task may use; None: all cores."""
        self._cores = default_threads() if cores is None else cores
        if self._cores < 1:
            raise OptionsError(f"cores {cores}: expected 1 or more")
        self._cancelled: set[str] = set()
        self._closed = self._busy = False

    @property
    def cores(self) -> int:
        """How many cores a task may use."""
        return self._cores

    def run(
        self, tasks: Iterable[Task], window: int, cancel: CancelToken | None = None
    ) -> Generator[TaskEvent, None, None]:
        """Run the tasks; see Executor."""
        check_window(window)
        if self._closed or self._busy:
            raise RuntimeError("executor closed" if self._closed else "executor runs already")
        self._busy = True
        self._cancelled.clear()
        try:
            yield from self._run(iter(tasks), window, cancel or CancelToken())
        finally:
            self._busy = False

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop at its next frame, or not to start."""
        self._cancelled.add(task_id)

    def close(self) -> None:
        """Run no more tasks."""
        self._closed = True

    def _run(
        self, tasks: Iterator[Task], window: int, stop: CancelToken
    ) -> Generator[TaskEvent, None, None]:
        task_queue = TaskQueue(self._cores, slots=1, free_memory=lambda: None)
        fault = exhausted = False
        while True:
            while not (exhausted or fault or stop.cancelled) and len(task_queue.waiting) < window:
                task = next(tasks, None)
                if task is None:
                    exhausted = True
                else:
                    task_queue.add(task)
            yield from self._dropped(task_queue, all_tasks=fault or stop.cancelled)
            task = task_queue.next()
            if task is not None:
                for event in self._task(task, stop):
                    if isinstance(event, Done):
                        task_queue.done(task.id)
                    elif isinstance(event, Failed):
                        task_queue.failed(task.id, event.error)
                        fault = fault or is_fault(event)
                    yield event
            elif exhausted or fault or stop.cancelled:
                break
        if not (exhausted and task_queue.all_done):
            stop.check()

    def _dropped(self, task_queue: TaskQueue, all_tasks: bool) -> Iterator[Failed]:
        """Take the tasks from the queue that will not start."""
        for task_id in task_queue.waiting:
            if all_tasks or task_id in self._cancelled:
                error = Cancelled(f"{task_id}: not started; stopped as asked")
                task_queue.failed(task_id, error)
                yield Failed(task_id, error)
        yield from task_queue.blocked()

    def _task(self, task: Task, stop: CancelToken) -> Generator[TaskEvent, None, None]:
        """Run one task; the last event is its Done or Failed."""
        notices: list[str] = []
        token = _TaskCancelToken(self._cancelled, task.id, stop)
        context = TaskContext(self._cores, token, notices.append)
        yield Started(task.id, 1, self._cores)
        digests: dict[int, str] = {}
        with contextlib.closing(run_function(task, context)) as steps:
            task_steps = TaskSteps(task, steps)
            while True:
                event = self._step(task, context, task_steps)
                while notices:
                    yield NoticeGiven(task.id, notices.pop(0))
                if event is None:
                    yield Done(task.id, digest_of(digests))
                    return
                if isinstance(event, ItemStored):
                    digests[event.item.index] = event.item.digest
                yield event
                if isinstance(event, Failed):
                    return

    def _step(self, task: Task, context: TaskContext, steps: TaskSteps) -> TaskEvent | None:
        """Run a task to its next ``yield``; None at its end."""
        try:
            context.cancel.check()
            with limited_threads(self._cores):
                return steps.next_event()
        except MemoryError:
            return Failed(task.id, out_of_memory(task.id), lost=True)
        except Exception as error:  # of any kind: the reader of the events has to know
            return Failed(task.id, error)


class _TaskCancelToken(CancelToken):
    """Set when the whole run is asked to stop, or this task of it."""

    def __init__(self, cancelled_ids: set[str], task_id: str, run: CancelToken) -> None:
        super().__init__()
        self._cancelled_ids, self._task_id, self._run = cancelled_ids, task_id, run

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        ids = self._cancelled_ids
        return super().cancelled or self._run.cancelled or self._task_id in ids
