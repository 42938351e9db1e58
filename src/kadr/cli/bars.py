"""Events in, progress bars on a terminal out: how far, how fast, how long still."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from kadr.core.events import Event


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{speed:.2f} frames/s", style="progress.data.speed")


class _Above(io.TextIOBase):
    """A text file whose lines appear above the bars."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        if text.strip("\n"):
            self._console.print(text.rstrip("\n"), markup=False, highlight=False, soft_wrap=True)
        return len(text)


@contextlib.contextmanager
def bars(stream: TextIO) -> Iterator[tuple[Callable[[Event], None], TextIO]]:
    """Lend a function that draws an event, and a file for lines above the bars.

    One bar a step; they vanish at the end, since the result says what remains to be said.
    """
    console = Console(file=stream)
    steps: dict[str, TaskID] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:

        def draw(event: Event) -> None:
            if event.step not in steps:
                steps[event.step] = progress.add_task(event.step, total=event.total)
            done = event.index + event.share
            progress.update(steps[event.step], completed=done, total=event.total)
            if event.message:
                console.print(event.message, markup=False)

        yield draw, _Above(console)  # type: ignore[misc]
