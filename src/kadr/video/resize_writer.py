"""Frames in, the same at another size into another writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from kadr.core.frames import DeepImage, Frame
from kadr.core.output_size import OutputSize
from kadr.core.resize import resize_image
from kadr.video.base import ClipWriter


class ResizeWriter:
    """A ClipWriter that resizes each frame and hands it to ``writer``."""

    def __init__(self, writer: ClipWriter, size: OutputSize, notices: Sequence[str] = ()) -> None:
        self._writer, self._size = writer, size
        self._notices = notices

    @property
    def path(self) -> Path:
        """Where the output appears."""
        return self._writer.path

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

    def finish(self) -> Path:
        """Complete the output."""
        return self._writer.finish()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._writer.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def _resized(image: DeepImage, size: tuple[int, int]) -> DeepImage:
    """An image at another size, with as many bits as it had."""
    if image.dtype == np.uint16:
        return resize_image(image.astype(np.uint16, copy=False), size)
    return resize_image(image.astype(np.uint8, copy=False), size)
