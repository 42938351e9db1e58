"""What a key claims a frame shows and what it shows in, how far the claim can be trusted out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_NOISE = 6.0
"""Contrast in 8-bit levels below which differences are taken for noise."""


def similarity(
    claim: NDArray[np.generic], frame: NDArray[np.generic], window: int = 9
) -> NDArray[np.float32]:
    """Local structural similarity of two images, (H, W) float32 in −1…1, 1 for equal.

    claim, frame: (H, W) or (H, W, C), 8-bit values. SSIM (Wang et al. 2004) over a box window,
    with constants from the noise of footage, so that flat areas which differ by noise agree.
    """
    a, b = claim.astype(np.float32), frame.astype(np.float32)
    box = (window, window)
    mean_a, mean_b = cv2.blur(a, box), cv2.blur(b, box)
    var_a = cv2.blur(a * a, box) - mean_a * mean_a
    var_b = cv2.blur(b * b, box) - mean_b * mean_b
    cov = cv2.blur(a * b, box) - mean_a * mean_b
    noise = np.float32(_NOISE * _NOISE)
    structure = (2 * cov + noise) / (var_a + var_b + noise)
    # a change of light is no change of place: levels count by their distance alone, gently
    light = 1.0 / (1.0 + np.square(mean_a - mean_b) / np.float32(24.0**2))
    value = structure * light
    return value if value.ndim == 2 else value.mean(axis=2)


def smoothstep(value: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """0 below ``low``, 1 above ``high``, a smooth cubic between."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)
