"""One mask in, what is kept of it before it is known how all of them are to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.composite.matte import restyled
from kadr.composite.work_area import grid_shape, touched_tiles
from kadr.render.matte_reader import MaskFacts, MaskSource, mask_levels
from kadr.video.mask_image import MaskImage

_SMALL_NUMBER = 32
"""Masks that hold 0 and one level below this hold numbers."""


class MaskLook:
    """What is kept of a mask that was looked at, before it is known how masks are to be read."""

    def __init__(self, image: MaskImage, source: MaskSource, tile: int) -> None:
        self._shape = grid_shape(source.size, tile)
        self._invert = source.matte.invert
        self.largest, self.exact = int(image.levels.max()), image.exact
        self.levels: set[int] = set()
        small = self.exact and self.largest < _SMALL_NUMBER
        if small:
            self.levels = set(np.unique(image.levels).tolist())
        self.has_alpha = image.alpha is not None and bool(image.alpha.min() < 255)
        self._tiles: dict[MaskFacts, NDArray[np.bool_]] = {}
        readings = [MaskFacts(), *([MaskFacts(has_numbers=True)] if small else [])]
        if image.alpha is not None:
            readings.append(MaskFacts(has_alpha=True))
        for reading in readings:
            levels = mask_levels(image, reading, source.size)
            # a smaller edge is only taken for what it is where masks vanish by it
            shrunk = replace(source.matte, grow=min(0, source.matte.grow))
            is_set = restyled(levels, shrunk)
            self._tiles[reading] = touched_tiles(is_set, tile, source.matte.reach)

    def tiles(self, facts: MaskFacts) -> NDArray[np.bool_]:
        """The tiles that the mask touches, read as all masks are."""
        reading = MaskFacts(facts.has_alpha, facts.has_numbers and not facts.has_alpha)
        # without alpha all of an image is opaque
        return self._tiles.get(reading, np.full(self._shape, not self._invert))


def mask_facts(looks: Sequence[MaskLook]) -> MaskFacts:
    """How masks are to be read, from what all of them hold."""
    largest = max(look.largest for look in looks)
    is_small = all(look.exact for look in looks) and 0 < largest < _SMALL_NUMBER
    is_numbers = is_small and all(look.levels <= {0, largest} for look in looks)
    return MaskFacts(any(look.has_alpha for look in looks), is_numbers, largest)
