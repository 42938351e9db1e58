"""Run a stylizer in a thread of its own.

Meanwhile frames are decoded ahead of it, its results are stored, and its progress is shown; a
stylizer does not have to know of any of this.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from kadr.core.prefetch import prefetch
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, Stylizer

_DEPTH = 2
"""The most batches that wait to be stored, and frames that wait to be stylized."""


@dataclass(frozen=True)
class StylizeProgress:
    """How much of a frame is done, 0–1."""

    index: int
    share: float


class _Stopped(BaseException):
    """Ends the thread when nobody reads its results any more."""


def run_stylizer(
    stylizer: Stylizer,
    jobs: Iterator[StylizeJob],
    context: StylizeContext,
    on_result: Callable[[StyledFrame], object],
) -> Generator[list[StyledFrame] | StylizeProgress, None, None]:
    """Yield each batch, and StylizeProgress between batches; errors of the stylizer are raised.

    ``context.progress`` is set here. on_result: called in the thread with each stylized frame,
    before the stylizer continues. Closing this generator stops the thread at the stylizer's next
    progress or result.
    """
    ready: queue.Queue[list[StyledFrame] | StylizeProgress | BaseException | None] = queue.Queue(
        _DEPTH
    )
    stop = threading.Event()

    def put(item: list[StyledFrame] | BaseException | None) -> None:
        while True:
            if stop.is_set():
                raise _Stopped
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def report_progress(index: int, share: float) -> None:
        if stop.is_set():
            raise _Stopped
        if ready.empty():  # a reader with results waiting needs no progress
            ready.put(StylizeProgress(index, share))

    def run() -> None:
        try:
            with closing(prefetch(jobs, _DEPTH)) as frames:
                for batch in stylizer.stylize(frames, replace(context, progress=report_progress)):
                    for styled in batch:
                        on_result(styled)
                    put(batch)
            put(None)
        except _Stopped:
            pass
        except BaseException as error:  # the consumer raises it
            with contextlib.suppress(_Stopped):
                put(error)

    thread = threading.Thread(target=run, name="kadr-stylize", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
