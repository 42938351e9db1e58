"""Frames of a clip by index, for readers that mostly go forwards."""

from __future__ import annotations

from collections.abc import Iterator

from kadr.core.closing import Closing
from kadr.core.frames import Frame
from kadr.video.base import Clip

_MOST_STEPS = 16
"""Frames at most this far ahead are reached by reading on, not by starting there."""


class ForwardFrames(Closing):
    """Reads frames of a clip; going forwards in small steps starts no new reading.

    For one thread at a time; the clip is closed by somebody else.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._next = 0
        self._frames: Iterator[Frame] = iter(())

    def get(self, index: int) -> Frame:
        """The frame ``index``, in [0, len)."""
        if not 0 <= index - self._next <= _MOST_STEPS:
            self.close()
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index == index:
                return frame
        self._frames = iter(self._clip.frames(index))
        frame = next(self._frames)
        self._next = index + 1
        return frame

    def close(self) -> None:
        """End the reading that is under way."""
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()
        self._frames = iter(())
