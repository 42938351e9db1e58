"""Levels of a mask in, the matte out: inverted, grown or shrunk, and feathered."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Matte = NDArray[np.float32]
"""(H, W) float32: 1 where the styled image shows, 0 where the background does."""

_STEP = 3
"""Radius in pixels of the disc that masks are grown by at a time; larger ones are slow."""


@dataclass(frozen=True)
class MatteOptions:
    """How a matte is made from a mask.

    invert: black is styled. grow: pixels to move the edge outwards; negative ones inwards.
    feather: width in pixels of the soft edge, half of it on either side of the edge.
    """

    invert: bool = False
    grow: int = 0
    feather: float = 0.0

    @property
    def reach(self) -> int:
        """How many pixels outside the mask the matte is not 0, at most."""
        return max(0, self.grow + math.ceil(self.feather / 2))


def make_matte(levels: NDArray[np.uint8], options: MatteOptions) -> Matte:
    """The matte of a mask, (H, W) uint8: 255 is styled, 0 is not, soft between.

    Where nothing is set within ``options.reach`` pixels, the matte is exactly 0.
    """
    levels = _edge_moved(levels, options)
    matte = levels.astype(np.float32) / np.float32(255)
    if options.feather > 0:
        radius = math.ceil(options.feather / 2)
        size = 2 * radius + 1
        blurred = cv2.GaussianBlur(matte, (size, size), max(radius / 2, 0.3))
        matte = np.clip(blurred, 0, 1)
    return matte


def restyled(levels: NDArray[np.uint8], options: MatteOptions) -> NDArray[np.bool_]:
    """(H, W) bool: where the matte of a mask without its feather is not 0."""
    moved: NDArray[np.bool_] = _edge_moved(levels, options) > 0
    return moved


def _edge_moved(levels: NDArray[np.uint8], options: MatteOptions) -> NDArray[np.uint8]:
    return _grow(255 - levels if options.invert else levels, options.grow)


def _grow(levels: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Grow what is set by a disc, or shrink it; soft levels move with the edge."""
    operation = cv2.dilate if pixels > 0 else cv2.erode
    left = abs(pixels)
    while left:
        radius = min(left, _STEP)
        size = (2 * radius + 1, 2 * radius + 1)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size)
        levels = operation(levels, disc).astype(np.uint8)  # beyond the frame all is as at its edge
        left -= radius
    return levels
