"""Sizes that fit into a box, and images reduced to a longest side."""

from __future__ import annotations

import math
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)
Size = tuple[int, int]
"""(width, height) in pixels."""


def fit_in_box(size: Size, box: tuple[float, float], *, enlarge: bool = False) -> Size:
    """The largest size of the same aspect that lies within ``box`` (width, height).

    Sides are rounded and at least 1. A size that fits already is enlarged only if ``enlarge``.
    """
    scale = min(box[0] / size[0], box[1] / size[1], math.inf if enlarge else 1.0)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def fit_width(size: Size, width: int) -> Size:
    """The size of the same aspect that is ``width`` pixels wide."""
    return width, max(1, round(width * size[1] / size[0]))


def shrink_to_side(image: NDArray[Pixel], side: int) -> NDArray[Pixel]:
    """Reduce an image (H, W) or (H, W, C) so that its longest side is at most ``side`` pixels.

    Averages areas. An image that is small enough is returned itself.
    """
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    size = fit_in_box((width, height), (side, side))
    reduced: NDArray[Pixel] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced
