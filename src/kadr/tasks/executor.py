"""Tasks in, events out: what every executor does, wherever its tasks run."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from kadr.core.events import CancelToken
from kadr.errors import BackendError, Cancelled, OptionsError
from kadr.tasks.task import Item, Notice, Task, Yielded


@dataclass(frozen=True)
class TaskEvent:
    """Something that happened to a task; ``task`` is its id."""

    task: str


@dataclass(frozen=True)
class Started(TaskEvent):
    """It runs now. attempt: 1, or more after its worker was lost. threads: cores it begins with."""

    attempt: int
    threads: int


@dataclass(frozen=True)
class TaskProgress(TaskEvent):
    """``done`` of ``total`` units of it are done."""

    done: int
    total: int


@dataclass(frozen=True)
class ItemStored(TaskEvent):
    """It made an item and kept it. After a lost worker items may come again."""

    item: Item


@dataclass(frozen=True)
class NoticeGiven(TaskEvent):
    """A line for people."""

    text: str


@dataclass(frozen=True)
class Done(TaskEvent):
    """It ended well. digest: a hash of all its items, see ``digest_of``."""

    digest: str


@dataclass(frozen=True)
class Failed(TaskEvent):
    """It ended without being done.

    error: what its function raised; Cancelled, if it was stopped; BackendError, if its worker
    was lost once too often or a task that it comes after failed.
    lost: whether its function is not to blame, which ran in a worker that was lost or never ran.
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
        """Yield what happens, in any order; each drawn task ends with one Done or Failed.

        tasks: drawn one by one, as far as fewer than ``window`` drawn ones have not ended. A task
        comes after those that it names in ``after``; it starts when they are done, its cores are
        free and its memory fits, and it fails if one of them does. Higher priority goes first.

        A lost worker's task is run again up to its ``retries``. An exception of a function is not
        tried again: its Failed comes at once, the other tasks are asked to stop, and no more are
        drawn. When ``cancel`` is raised all tasks are asked to stop at their next frame; they fail
        with Cancelled once none runs any more, then Cancelled is raised.

        Closing the iterator ends what still runs at once.
        Raises OptionsError for a task that names an unknown one, or whose id was used before.
        """
        ...

    def cancel(self, task_id: str, grace: float) -> None:
        """Ask a task to stop at its next frame; after ``grace`` seconds it is ended by force.

        May be called from any thread while ``run`` is iterated. An id that is not known, or whose
        task has ended, does nothing.
        """
        ...

    def close(self) -> None:
        """Give back all that the executor holds, ending what runs; it cannot run again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def event_of(task_id: str, made: Yielded) -> TaskEvent:
    """The event that tells of what a task yielded."""
    if isinstance(made, Item):
        return ItemStored(task_id, made)
    if isinstance(made, Notice):
        return NoticeGiven(task_id, made.text)
    return TaskProgress(task_id, made.done, made.total)


def is_fault(event: Failed) -> bool:
    """Whether it was the function that failed, so that the others have to stop too."""
    return not (event.lost or isinstance(event.error, Cancelled))


def out_of_memory(task_id: str) -> BackendError:
    """The error of a task for which there was not enough memory."""
    return BackendError(
        f"{task_id}: not enough memory; close other programs, use fewer workers or smaller frames"
    )


def check_window(window: int) -> None:
    """Raise OptionsError unless a run can go on with so many tasks at a time."""
    if window < 1:
        raise OptionsError(f"window {window}: expected 1 or more tasks")
