"""Two gray images in; how far they show the same structure out, whatever their tones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = (15, 15)


def local_correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean normalised correlation of two (H, W) gray images in windows of 15×15; −1 to 1."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    mean_x, mean_y = cv2.blur(x, _WINDOW), cv2.blur(y, _WINDOW)
    var_x = cv2.blur(x * x, _WINDOW) - mean_x**2
    var_y = cv2.blur(y * y, _WINDOW) - mean_y**2
    cov = cv2.blur(x * y, _WINDOW) - mean_x * mean_y
    return float((cov / np.sqrt(np.maximum(var_x, 0) * np.maximum(var_y, 0) + 1.0)).mean())
