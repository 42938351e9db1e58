"""Events in, progress bars on a terminal out, with speed and time left."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
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
)
from rich.text import Text

from kadr.cli.time_left import StepTimers
from kadr.core.events import Event
from kadr.core.locations import message_text


class _SpeedColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.fields["timer"].speed
        return Text("" if not speed else f"{speed:.2f} frames/s", style="progress.data.speed")


class _TimeLeftColumn(ProgressColumn):
    """The time left by the timer of the step: rich's own estimate also counts compiling time."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        total = None if task.total is None else int(task.total)
        seconds = task.fields["timer"].seconds_left(total)
        text = "" if seconds is None else f"{timedelta(seconds=round(seconds))} left"
        return Text(text, style="progress.remaining")


class _LinesAbove(io.TextIOBase):
    """A text file whose lines appear above the bars."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        if text.strip("\n"):
            self._console.print(text.rstrip("\n"), markup=False, highlight=False, soft_wrap=True)
        return len(text)


@contextlib.contextmanager
def bars(stream: TextIO, timers: StepTimers) -> Iterator[tuple[Callable[[Event], None], TextIO]]:
    """A function that draws an event, and a file for lines above the bars.

    One bar per step; the bars disappear at the end, since the result is printed then.
    """
    console = Console(file=stream)
    steps: dict[str, TaskID] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(),
        _TimeLeftColumn(),
        console=console,
        transient=True,
    ) as progress:

        def draw(event: Event) -> None:
            timer = timers.update(event)
            if event.step not in steps:
                steps[event.step] = progress.add_task(event.step, total=event.total, timer=timer)
            done = event.index + event.share
            progress.update(steps[event.step], completed=done, total=event.total)
            if event.message:
                console.print(message_text(event.message), markup=False, highlight=False)

        yield draw, _LinesAbove(console)  # type: ignore[misc]
