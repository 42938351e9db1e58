"""Two images in; their structural similarity out (Wang et al. 2004)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.guides.flow import gray


def structural_similarity(image: Image, truth: Image) -> float:
    """Mean structural similarity of the luma of two (H, W, 3) uint8 images; 1 for equal images.

    A Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03.
    """
    a, b = (gray(one).astype(np.float64) for one in (image, truth))
    mean_a, mean_b = _window(a), _window(b)
    variance_a = _window(a * a) - mean_a**2
    variance_b = _window(b * b) - mean_b**2
    covariance = _window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    value /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return float(value.mean())


def _window(image: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = cv2.GaussianBlur(
        image, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101
    )
    return mean
