"""The masks of a filmed figure: which pixels of a frame show it, for a run and for its tasks."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.closing import Closing
from kadr.core.frames import FrameRange
from kadr.errors import InputError
from kadr.options import RunOptions
from kadr.render.masks import FrameMasks
from kadr.render.matte_reader import MaskFacts, MaskSource, MatteReader
from kadr.video.base import Clip

_BLOCK = 16
"""Masks of a video that are read at once: a pass that goes backwards would seek for each."""


class FigureMasks(FrameMasks):
    """Masks of a figure that paint belongs to, of the same kinds as those of a run.

    Raises InputError if they cannot be used or one of ``frames`` has no mask.
    """

    def __init__(self, options: RunOptions, clip: Clip, frames: FrameRange) -> None:
        figure = replace(
            options, mask=options.figure, figure=None, invert_mask=False, grow=0, feather=0.0
        )
        super().__init__(figure, clip, frames)

    def _check_set(self, is_set: Iterable[int], facts: MaskFacts) -> None:
        """Raise InputError if no mask of the run is set anywhere."""
        if not self.is_set_anywhere(is_set, facts):
            frames, number = self._run_frames, self._clip.number
            raise InputError(
                f"{self._path}: shows no figure in frames {number(frames.start)} to "
                f"{number(frames.stop - 1)}: its largest level is {facts.largest} of 255; paint "
                "white where the figure is filmed, or make masks with kadr mask"
            )


def figure_digest(source: MaskSource) -> str:
    """A hash of all masks: a pass depends on those of all frames on its way."""
    digest = hashlib.sha256()
    for index in source.indices:
        digest.update(f"{index}:{source.digest(index)}".encode())
    return digest.hexdigest()[:32]


class FigureReader(Closing):
    """Reads where frames show a figure, forwards or backwards; for one thread at a time."""

    def __init__(self, source: MaskSource) -> None:
        self._reader = MatteReader(source, cached_bytes=0)
        self._in_clip = [index for index, _ in source.frames]
        self._masks: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._shape = source.size[::-1]

    def mask(self, index: int) -> NDArray[np.bool_]:
        """(H, W) bool. Raises InputError if the mask cannot be read."""
        if index not in self._masks:
            block = [other for other in self._in_clip if other // _BLOCK == index // _BLOCK]
            for other in block or [index]:
                self._masks[other] = np.packbits(self._reader.matte(other) >= 0.5)
        bits = np.unpackbits(self._masks[index], count=self._shape[0] * self._shape[1])
        while len(self._masks) > 2 * _BLOCK:
            self._masks.popitem(last=False)
        return bits.reshape(self._shape).astype(np.bool_)

    def close(self) -> None:
        """Free the files of a video of masks."""
        self._reader.close()
