"""The Executor protocol and its events: run tasks, wherever they run."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from kadr.core.events import CancelToken
from kadr.core.stage_times import StageTimes, stage, take_times
from kadr.errors import BackendError, Cancelled, OptionsError
from kadr.tasks.task import Item, Notice, Task, Yielded


@dataclass(frozen=True)
class TaskEvent:
    """Something that happened to a task; ``task``: its id."""

    task: str


@dataclass(frozen=True)
class Started(TaskEvent):
    """It runs now. attempt: 1, or more after its worker was lost. threads: cores at the start."""

    attempt: int
    threads: int


@dataclass(frozen=True)
class TaskProgress(TaskEvent):
    """``done`` of ``total`` units of it are done."""

    done: int
    total: int


@dataclass(frozen=True)
class ItemStored(TaskEvent):
    """It made an item and stored it. After a lost worker items may come again.

    seconds: how long it computed since its last item; waiting for its reader does not count.
    stage_times: what its process counted since then, by step (the task's type) and stage.
    worker: the name of the worker that made it; "" if that is this process.
    """

    item: Item
    seconds: float = field(default=0.0, compare=False)
    stage_times: StageTimes = field(default_factory=dict, compare=False)
    worker: str = field(default="", compare=False)


@dataclass(frozen=True)
class NoticeGiven(TaskEvent):
    """A line for the user."""

    text: str


@dataclass(frozen=True)
class Done(TaskEvent):
    """It is complete. digest: a hash of all its items, see ``digest_of``."""

    digest: str


@dataclass(frozen=True)
class Failed(TaskEvent):
    """It ended and is not complete.

    error: what its function raised; Cancelled if it was stopped; BackendError if its worker was
    lost too often or a task that it depends on failed.
    lost: whether the worker was lost or the task never ran, so its function is not the cause.
    """

    error: Exception
    lost: bool = False


class Executor(Protocol):
    """Runs tasks, one run at a time; usable in a ``with`` block, which closes it."""

    @property
    def cores(self) -> int:
        """How many cores all its tasks together may use."""
        ...

    def run(
        self, tasks: Iterable[Task], window: int, cancel: CancelToken | None = None
    ) -> Generator[TaskEvent, None, None]:
        """Yield events, in any order; each task that was taken ends with one Done or Failed.

        tasks: taken one by one, while fewer than ``window`` taken ones have not ended. A task
        comes after those that it names in ``after``; it starts when they are done, its cores are
        free and its memory fits, and it fails if one of them does. Higher priority starts first.

        The task of a lost worker runs again, up to its ``retries``. An exception of a function is
        not tried again: its Failed comes at once, the other tasks are asked to stop, and no more
        are taken. When ``cancel`` is set, all tasks are asked to stop at their next frame; they
        fail with Cancelled when none runs any more, then Cancelled is raised.

        Closing the iterator ends running tasks at once.
        Raises OptionsError for a task that names an unknown one, or whose id was used before.
        """
        ...

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop at its next frame; after ``grace`` seconds it is killed.

        May be called from any thread while ``run`` is iterated. An unknown id, or one whose task
        has ended, does nothing.
        """
        ...

    def close(self) -> None:
        """Release all resources and end running tasks; the executor cannot run again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class TaskSteps:
    """The events of a task's function, one for each ``next_event``, with the time it computed."""

    def __init__(self, task: Task, steps: Iterator[Yielded]) -> None:
        self._task_id, self._steps = task.id, steps
        self._type = task.type or task.function
        self._seconds = 0.0

    def next_event(self) -> TaskEvent | None:
        """Run the function to its next ``yield``; None at its end. Raises what it raises."""
        start = time.perf_counter()
        with stage(self._type):
            result = next(self._steps, None)
        self._seconds += time.perf_counter() - start
        if result is None:
            return None
        if isinstance(result, Item):
            seconds, self._seconds = self._seconds, 0.0
            return ItemStored(self._task_id, result, seconds, take_times())
        if isinstance(result, Notice):
            return NoticeGiven(self._task_id, result.text)
        return TaskProgress(self._task_id, result.done, result.total)


def is_fault(event: Failed) -> bool:
    """Whether the task's function failed, so that the other tasks have to stop too."""
    return not (event.lost or isinstance(event.error, Cancelled))


def out_of_memory(task_id: str) -> BackendError:
    """The error of a task that ran out of memory."""
    return BackendError(
        f"{task_id}: not enough memory; close other programs, use fewer workers or smaller frames"
    )


def check_window(window: int) -> None:
    """Raise OptionsError unless ``window`` is at least one task."""
    if window < 1:
        raise OptionsError(f"window {window}: expected 1 or more tasks")
