"""A picture of one size in, the same picture within another size out."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from kadr.core.frames import Image
from kadr.core.resize import fit_in_box

_MOST_STRETCH = 1.02
"""The ratio of two shapes up to which a picture is stretched: sides are rounded to whole blocks."""


def fit_picture(
    image: Image, aspect: Fraction, size: tuple[int, int], to_aspect: Fraction
) -> Image:
    """Scale (H, W, 3 or 4) uint8 to ``size`` (width, height); another shape gets black borders.

    aspect, to_aspect: width of one pixel over its height, of the image and of the result.
    """
    shape = image.shape[1], image.shape[0]
    ratio = (shape[0] * aspect * size[1]) / (shape[1] * to_aspect * size[0])
    if 1 / _MOST_STRETCH <= ratio <= _MOST_STRETCH:
        return _scale(image, size)
    visible = (round(shape[0] * 1000 * float(aspect / to_aspect)), shape[1] * 1000)
    width, height = fit_in_box(visible, size, enlarge=True)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    framed = np.zeros((size[1], size[0], image.shape[2]), image.dtype)
    if image.shape[2] == 4:
        framed[..., 3] = 255
    framed[top : top + height, left : left + width] = _scale(image, (width, height))
    return framed


def _scale(image: Image, size: tuple[int, int]) -> Image:
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    scaled: Image = cv2.resize(image, size, interpolation=method).astype(np.uint8)
    return scaled
