"""A restyled picture and the one it was made from in, the first with the colours of the second out.

As "apply color correction" of A1111 does it: histograms are matched in L*a*b*, and the result keeps
the luminosity it had.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image

Plane = NDArray[np.float32]

_LUMINOSITY = np.array([0.3, 0.59, 0.11], np.float32)


def correct_colours(restyled: Image, original: Image) -> Image:
    """(H, W, 3) uint8 with the distribution of colours of ``original``; sizes may differ."""
    lab = cv2.cvtColor(restyled, cv2.COLOR_RGB2LAB)
    wanted = cv2.cvtColor(original, cv2.COLOR_RGB2LAB)
    planes = [_match(lab[..., i], wanted[..., i]) for i in range(3)]
    coloured = cv2.cvtColor(np.stack(planes, axis=2), cv2.COLOR_LAB2RGB)
    return _with_luminosity(coloured, restyled)


def _match(plane: Image, wanted: Image) -> Image:
    """(H, W) uint8 values moved so that as many lie below each as in ``wanted``; truncated."""
    counts = np.bincount(plane.reshape(-1), minlength=256)
    levels, wanted_counts = np.unique(wanted, return_counts=True)
    share, wanted_share = counts.cumsum() / plane.size, wanted_counts.cumsum() / wanted.size
    table: Image = np.interp(share, wanted_share, levels).astype(np.uint8)
    return table[plane]


def _with_luminosity(image: Image, of: Image) -> Image:
    """Hue and saturation of one picture with the luminosity of another.

    "Luminosity" of the W3C's Compositing and Blending: colours that fall outside 0–1 are drawn
    towards their grey.
    """
    colour, light = image.astype(np.float32) / 255, of.astype(np.float32) / 255
    grey = (light @ _LUMINOSITY)[..., None]
    moved = colour + grey - (colour @ _LUMINOSITY)[..., None]
    away = moved - grey
    low, high = moved.min(axis=2, keepdims=True), moved.max(axis=2, keepdims=True)
    shrink = np.ones_like(grey)
    np.divide(grey, grey - low, out=shrink, where=low < 0)
    shrink_high = np.ones_like(grey)
    np.divide(1 - grey, high - grey, out=shrink_high, where=high > 1)
    blended = np.clip(grey + away * np.minimum(shrink, shrink_high), 0, 1)
    rounded: Image = np.rint(blended * 255).astype(np.uint8)
    return rounded
