"""A restyled image and its original in, the restyled image in the colours of the original out.

Does what "apply color correction" of A1111 does: histograms are matched in L*a*b*, and the result
keeps the luminosity of the restyled image.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image

Plane = NDArray[np.float32]

_LUMINOSITY = np.array([0.3, 0.59, 0.11], np.float32)


def correct_colours(restyled: Image, original: Image) -> Image:
    """(H, W, 3) uint8 with the colour distribution of ``original``; sizes may differ."""
    lab = cv2.cvtColor(restyled, cv2.COLOR_RGB2LAB)
    original_lab = cv2.cvtColor(original, cv2.COLOR_RGB2LAB)
    planes = [_match_histogram(lab[..., i], original_lab[..., i]) for i in range(3)]
    coloured = cv2.cvtColor(np.stack(planes, axis=2), cv2.COLOR_LAB2RGB)
    return _copy_luminosity(coloured, restyled)


def _match_histogram(plane: Image, reference: Image) -> Image:
    """Map (H, W) uint8 values so that their distribution matches ``reference``; truncated."""
    counts = np.bincount(plane.reshape(-1), minlength=256)
    levels, reference_counts = np.unique(reference, return_counts=True)
    quantiles = counts.cumsum() / plane.size
    reference_quantiles = reference_counts.cumsum() / reference.size
    table: Image = np.interp(quantiles, reference_quantiles, levels).astype(np.uint8)
    return table[plane]


def _copy_luminosity(image: Image, luminosity_image: Image) -> Image:
    """Hue and saturation of ``image`` with the luminosity of ``luminosity_image``.

    This is "luminosity" of the W3C's Compositing and Blending: colours outside 0–1 are moved
    towards their grey until they are inside.
    """
    colour = image.astype(np.float32) / 255
    light = luminosity_image.astype(np.float32) / 255
    grey = (light @ _LUMINOSITY)[..., None]
    shifted = colour + grey - (colour @ _LUMINOSITY)[..., None]
    chroma = shifted - grey
    low, high = shifted.min(axis=2, keepdims=True), shifted.max(axis=2, keepdims=True)
    shrink = np.ones_like(grey)
    np.divide(grey, grey - low, out=shrink, where=low < 0)
    shrink_high = np.ones_like(grey)
    np.divide(1 - grey, high - grey, out=shrink_high, where=high > 1)
    blended = np.clip(grey + chroma * np.minimum(shrink, shrink_high), 0, 1)
    rounded: Image = np.rint(blended * 255).astype(np.uint8)
    return rounded
