"""A stylizer and its jobs in, what it makes out, as it works on in a thread of its own.

Meanwhile frames are decoded ahead of it and what it made is encoded behind it, and people are told
how far it is, none of which a stylizer has to know.
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
"""Batches that wait to be kept, and frames that wait to be stylized."""


@dataclass(frozen=True)
class StylizeProgress:
    """How much of a frame is done, 0–1."""

    index: int
    share: float


class _Stopped(BaseException):
    """Ends the thread when nobody takes any more what it makes."""


def run_stylizer(
    stylizer: Stylizer,
    jobs: Iterator[StylizeJob],
    context: StylizeContext,
    made: Callable[[StyledFrame], object],
) -> Generator[list[StyledFrame] | StylizeProgress, None, None]:
    """Yield each batch, and StylizeProgress between batches; errors of the stylizer are raised.

    ``context.progress`` is set here. made: called in the thread with each frame, before the
    stylizer goes on. Closing this generator stops the thread at the next thing that the stylizer
    tells or makes.
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

    def tell(index: int, share: float) -> None:
        if stop.is_set():
            raise _Stopped
        if ready.empty():  # whoever has something to take need not be told that there will be more
            ready.put(StylizeProgress(index, share))

    def work() -> None:
        try:
            with closing(prefetch(jobs, _DEPTH)) as given:
                for batch in stylizer.stylize(given, replace(context, progress=tell)):
                    for styled in batch:
                        made(styled)
                    put(batch)
            put(None)
        except _Stopped:
            pass
        except BaseException as error:  # the consumer raises it
            with contextlib.suppress(_Stopped):
                put(error)

    thread = threading.Thread(target=work, name="kadr-stylize", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
