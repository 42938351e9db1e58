"""Run a stylizer in a thread of its own.

Meanwhile frames are decoded ahead of it, its results are stored, and its progress is shown; a
stylizer does not have to know of any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from kadr.core.prefetch import prefetch
from kadr.core.thread_queue import ThreadQueue
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, Stylizer

_DEPTH = 2
"""The most batches that wait to be stored, and frames that wait to be stylized."""


@dataclass(frozen=True)
class StylizeProgress:
    """How much of a frame is done, 0–1."""

    index: int
    share: float


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
    ready: ThreadQueue[list[StyledFrame] | StylizeProgress] = ThreadQueue(_DEPTH)

    def report_progress(index: int, share: float) -> None:
        # a reader with results waiting needs no progress
        ready.offer(StylizeProgress(index, share))

    def produce() -> None:
        with closing(prefetch(jobs, _DEPTH)) as frames:
            for batch in stylizer.stylize(frames, replace(context, progress=report_progress)):
                for styled in batch:
                    on_result(styled)
                ready.put(batch)

    yield from ready.run(produce, "kadr-stylize")
