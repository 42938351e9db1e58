"""Blur and resize planes at a cost that does not grow with the width of the blur."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def blur(values: Plane, sigma: float) -> Plane:
    """A Gaussian blur of (H, W) or (H, W, C) float32; wide ones run on a reduced image."""
    height, width = values.shape[:2]
    factor = int(max(1, min(sigma / 2, height / 4, width / 4)))
    if factor == 1:
        blurred: Plane = cv2.GaussianBlur(values, (0, 0), sigma)
        return blurred
    small = cv2.resize(values, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return enlarge_to(small, (height, width))


def reduce_by(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 with sides ``factor`` times shorter, at least 1 pixel; areas are averaged."""
    if factor <= 1:
        return image
    height, width = image.shape[:2]
    size = (max(1, width // factor), max(1, height // factor))
    reduced: NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def enlarge_to(values: Plane, shape: tuple[int, ...]) -> Plane:
    """Values (h, w) or (h, w, C) float32 at ``shape``, whose first two sizes are (H, W); linear."""
    height, width = shape[:2]
    if values.shape[:2] == (height, width):
        return values
    enlarged: Plane = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return enlarged
