"""The made frames of a SparseClip in, the frames that people see into another writer."""

from __future__ import annotations

from dataclasses import replace

from kadr.core.frames import Frame
from kadr.video.base import ClipWriter
from kadr.video.finishing import FilterWriter
from kadr.video.sparse_clip import FrameChoice


class HeldWriter(FilterWriter):
    """A ClipWriter that shows each made frame some times, and leaves out those between its steps.

    writer: takes frames with indices in ``visible``. rendered: the frames that come, by their
    indices there; those beside its steps, which only serve as keys, are not shown. hold: how often
    each is shown; so many steps of ``visible`` are one step of ``rendered``.
    """

    def __init__(
        self, writer: ClipWriter, rendered: FrameChoice, visible: FrameChoice, hold: int
    ) -> None:
        super().__init__(writer)
        self._rendered, self._visible, self._hold = rendered, visible, hold
        self._indices = rendered.indices

    def write(self, frame: Frame) -> None:
        """Add one made frame."""
        first, step = self._rendered.start, self._rendered.step
        if (self._indices[frame.index] - first) % step:
            return
        position = (self._indices[frame.index] - first) // self._visible.step
        count = len(range(first, self._visible.stop, self._visible.step))
        for index in range(position, min(position + self._hold, count)):
            self._writer.write(replace(frame, index=index))
