"""Which worker made which frames, as a few ranges however many frames there are."""

from __future__ import annotations

from kadr.core.frames import FrameRange
from kadr.report.record import WorkerRecord

THIS_PROCESS = "main process"


class MadeBy:
    """Notes the worker of each frame of a step."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, str], list[tuple[int, int]]] = {}
        """(worker, step) → first and last frame of each range, in the order in which they came."""

    def add(self, worker: str, step: str, index: int) -> None:
        """A worker made frame ``index``; one frame may be made in several passes."""
        ranges = self._ranges.setdefault((worker or THIS_PROCESS, step), [])
        first, last = ranges[-1] if ranges else (index, index)
        if ranges and first - 1 <= index <= last + 1:
            ranges[-1] = min(first, index), max(last, index)
        else:
            ranges.append((index, index))
            if len(ranges) % 256 == 0:  # the tasks of a worker alternate between passes
                self._ranges[worker or THIS_PROCESS, step] = _merged(ranges)

    def records(self) -> tuple[WorkerRecord, ...]:
        """The ranges of each worker and step, by its name."""
        return tuple(
            WorkerRecord(
                worker, step, tuple(FrameRange(first, last + 1) for first, last in _merged(ranges))
            )
            for (worker, step), ranges in sorted(self._ranges.items())
        )


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order; those that touch or overlap are one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged
