"""Similarity of two images: PSNR and SSIM."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_MAX_PSNR = 99.0
"""PSNR in dB of two equal images, so that means stay finite."""


def psnr(image: Image, truth: Image) -> float:
    """Peak signal-to-noise ratio of two (H, W, C) uint8 images in dB, at most 99."""
    error = float(np.mean(np.square(image.astype(np.float32) - truth)))
    return _MAX_PSNR if error == 0 else min(_MAX_PSNR, 10 * float(np.log10(255**2 / error)))


def ssim(image: Image, truth: Image) -> float:
    """Mean structural similarity of two (H, W, 3) uint8 images' luma (Wang et al. 2004).

    A Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03; 1 for equal images.
    """
    a, b = (cv2.cvtColor(i, cv2.COLOR_RGB2GRAY).astype(np.float64) for i in (image, truth))
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
