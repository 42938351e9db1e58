"""Frames in, the same at another size into another writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kadr.core.frames import DeepImage, Frame
from kadr.core.output_size import OutputSize
from kadr.core.resize import resize_image
from kadr.video.base import ClipWriter
from kadr.video.finishing import FilterWriter


class ResizeWriter(FilterWriter):
    """A ClipWriter that resizes each frame and hands it to ``writer``."""

    def __init__(self, writer: ClipWriter, size: OutputSize, notices: Sequence[str] = ()) -> None:
        super().__init__(writer)
        self._size, self._notices = size, notices

    @property
    def notices(self) -> Sequence[str]:
        """Those of the writer, and its own."""
        return [*self._notices, *self._writer.notices]

    def write(self, frame: Frame) -> None:
        """Add one frame at the size asked for."""
        size = self._size.of(frame.size)
        if size != frame.size:
            frame = replace(frame, image=_resized(frame.image, size))
        self._writer.write(frame)


def _resized(image: DeepImage, size: tuple[int, int]) -> DeepImage:
    """An image at another size, with as many bits as it had."""
    if image.dtype == np.uint16:
        return resize_image(image.astype(np.uint16, copy=False), size)
    return resize_image(image.astype(np.uint8, copy=False), size)
