"""A clip and a choice of its frames in, a clip of these frames alone out."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from kadr.core.closing import Closing
from kadr.core.frames import Frame, FrameRange
from kadr.video.base import Clip, ClipInfo
from kadr.video.file_watch import FileWatch

_TEXT = re.compile(r"(\d+):(\d+):(\d+)((?:\+\d+)*)")


@dataclass(frozen=True)
class FrameChoice:
    """One frame of every ``step`` in [start, stop) from the first on, and some others there."""

    start: int
    stop: int
    step: int
    others: tuple[int, ...] = ()

    @property
    def indices(self) -> tuple[int, ...]:
        """The indices in the whole clip, increasing."""
        return tuple(sorted({*range(self.start, self.stop, self.step), *self.others}))

    def __str__(self) -> str:
        """The choice as a text that ``parse`` reads."""
        return f"{self.start}:{self.stop}:{self.step}" + "".join(f"+{i}" for i in self.others)

    @classmethod
    def parse(cls, text: str) -> FrameChoice:
        """Read what ``str`` wrote. Raises ValueError for anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no choice of frames")
        others = tuple(int(part) for part in match[4].split("+") if part)
        return cls(int(match[1]), int(match[2]), int(match[3]), others)


class SparseClip(Closing):
    """A Clip of some frames of another one: its indices count these, its numbers are the clip's.

    Each frame is shown until the next one of them, the last until the choice ends. Closing it
    closes the whole clip.
    """

    def __init__(self, whole: Clip, choice: FrameChoice) -> None:
        self.whole, self.choice = whole, choice
        self.indices: Sequence[int] = choice.indices
        self._times = [whole.times[index] for index in self.indices]
        self._info = replace(
            whole.info,
            frame_count=len(self.indices),
            frame_rate=whole.info.frame_rate / choice.step,
            duration=_end(whole, choice.stop),
        )

    @property
    def info(self) -> ClipInfo:
        """That of the whole clip, with the number, the rate and the end of these frames."""
        return self._info

    @property
    def times(self) -> Sequence[Fraction]:
        """Seconds from the first frame of the whole clip."""
        return self._times

    @property
    def watch(self) -> FileWatch:
        """That of the whole clip."""
        return self.whole.watch

    def __len__(self) -> int:
        return len(self.indices)

    def number(self, index: int) -> int:
        """The number in the whole clip."""
        return self.whole.number(self.indices[index])

    def index_of(self, number: int) -> int | None:
        """The index here of the frame with this number; None if it was not chosen."""
        index = self.whole.index_of(number)
        return None if index is None else self.position(index)

    def position(self, index: int) -> int | None:
        """The index here of a frame of the whole clip; None if it was not chosen."""
        position = bisect_left(self.indices, index)
        is_here = position < len(self.indices) and self.indices[position] == index
        return position if is_here else None

    def positions(self, frames: FrameRange) -> FrameRange | None:
        """The chosen frames among a range of the whole clip; None if there is none."""
        start, stop = (bisect_left(self.indices, edge) for edge in (frames.start, frames.stop))
        return FrameRange(start, stop) if start < stop else None

    def name(self, index: int) -> str:
        """The file stem in the whole clip."""
        return self.whole.name(self.indices[index])

    def frame(self, index: int) -> Frame:
        """The frame at ``index``, in [0, len)."""
        return replace(self.whole.frame(self.indices[index]), index=index)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames ``[start, stop)`` forwards."""
        stop = len(self) if stop is None else stop
        if start < stop:
            yield from self._chosen(
                self.whole.frames(self.indices[start], self.indices[stop - 1] + 1)
            )

    def frames_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Frames ``stop - 1`` down to ``start``."""
        if start < stop:
            yield from self._chosen(
                self.whole.frames_backward(self.indices[start], self.indices[stop - 1] + 1)
            )

    def _chosen(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            position = self.position(frame.index)
            if position is not None:
                yield replace(frame, index=position)

    def close(self) -> None:
        """Free the files of the whole clip."""
        self.whole.close()


def whole_clip(clip: Clip) -> Clip:
    """The clip that a SparseClip takes its frames from; any other clip is whole itself."""
    return clip.whole if isinstance(clip, SparseClip) else clip


def _end(whole: Clip, stop: int) -> Fraction:
    """The time at which the frames before ``stop`` end."""
    return whole.times[stop] if stop < len(whole) else whole.info.duration
