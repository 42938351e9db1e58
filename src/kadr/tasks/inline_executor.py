"""Tasks in, events out, in this process and thread: for short work, and for finding faults."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import Self

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
    check_window,
    event_of,
    is_fault,
    out_of_memory,
)
from kadr.tasks.queue import TaskQueue
from kadr.tasks.resources import limited_threads
from kadr.tasks.task import Task, TaskContext, Yielded, digest_of, run_function


class InlineExecutor:
    """An Executor that runs one task after the other, each with all cores, as events are drawn.

    Nothing here can be lost, so nothing is tried again, and none can be ended by force: ``grace``
    means nothing. What a task logs goes where this process logs.
    """

    def __init__(self, cores: int | None = None) -> None:
        """cores: threads that a task may use; None: all there are."""
        self._cores = default_threads() if cores is None else cores
        if self._cores < 1:
            raise OptionsError(f"cores {cores}: expected 1 or more")
        self._asked: set[str] = set()
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
        self._asked.clear()
        try:
            yield from self._run(iter(tasks), window, cancel or CancelToken())
        finally:
            self._busy = False

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop at its next frame, or not to start."""
        self._asked.add(task_id)

    def close(self) -> None:
        """Run nothing more."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(
        self, source: Iterator[Task], window: int, stop: CancelToken
    ) -> Generator[TaskEvent, None, None]:
        board = TaskQueue(self._cores, slots=1, free_memory=lambda: None)
        fault = drawn_all = False
        while True:
            while not (drawn_all or fault or stop.cancelled) and len(board.waiting) < window:
                task = next(source, None)
                if task is None:
                    drawn_all = True
                else:
                    board.add(task)
            yield from self._dropped(board, everything=fault or stop.cancelled)
            task = board.next()
            if task is not None:
                for event in self._task(task, stop):
                    if isinstance(event, Done):
                        board.done(task.id)
                    elif isinstance(event, Failed):
                        board.failed(task.id, event.error)
                        fault = fault or is_fault(event)
                    yield event
            elif drawn_all or fault or stop.cancelled:
                break
        if not (drawn_all and board.all_done):
            stop.check()

    def _dropped(self, board: TaskQueue, everything: bool) -> Iterator[Failed]:
        """Take from the board what is not to start any more."""
        for task_id in board.waiting:
            if everything or task_id in self._asked:
                error = Cancelled(f"{task_id}: not started; stopped as asked")
                board.failed(task_id, error)
                yield Failed(task_id, error)
        yield from board.stranded()

    def _task(self, task: Task, stop: CancelToken) -> Generator[TaskEvent, None, None]:
        """Run one task; the last event is its Done or Failed."""
        told: list[str] = []
        context = TaskContext(self._cores, _Asked(self._asked, task.id, stop), told.append)
        yield Started(task.id, 1, self._cores)
        digests: dict[int, str] = {}
        with contextlib.closing(run_function(task, context)) as steps:
            while True:
                event = self._step(task, context, steps)
                while told:
                    yield NoticeGiven(task.id, told.pop(0))
                if event is None:
                    yield Done(task.id, digest_of(digests))
                    return
                if isinstance(event, ItemStored):
                    digests[event.item.index] = event.item.digest
                yield event
                if isinstance(event, Failed):
                    return

    def _step(self, task: Task, context: TaskContext, steps: Iterator[Yielded]) -> TaskEvent | None:
        """Run a task to its next ``yield``; None at its end."""
        try:
            context.cancel.check()
            with limited_threads(self._cores):
                made = next(steps, None)
        except MemoryError:
            return Failed(task.id, out_of_memory(task.id), lost=True)
        except Exception as error:  # whatever it is, who draws the events has to know
            return Failed(task.id, error)
        return None if made is None else event_of(task.id, made)


class _Asked(CancelToken):
    """Raised when the whole run is asked to stop, or this task of it."""

    def __init__(self, asked: set[str], task_id: str, run: CancelToken) -> None:
        super().__init__()
        self._asked, self._task_id, self._run = asked, task_id, run

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        return super().cancelled or self._run.cancelled or self._task_id in self._asked
