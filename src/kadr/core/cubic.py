"""Sample an image between its pixels, row by row, bicubic."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.kernels.cubic import sample_rows

_STEPS = 256
"""Positions are rounded to 1/256 of a pixel: half a level on the steepest edge."""
_SHARPNESS = np.float32(-0.75)
"""The derivative of the kernel at its first zero: that of OpenCV."""


class CubicSampler:
    """An image prepared to be sampled at many positions (cubic convolution, Keys 1981)."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        """image: (H, W, 3 or 4) uint8; a copy with four bytes a pixel is kept."""
        height, width, count = image.shape
        self._channels = tuple(range(count))
        padded = np.zeros((height + 5, width + 5, 4), np.uint8)
        padded[..., :count] = cv2.copyMakeBorder(image, 2, 3, 2, 3, cv2.BORDER_REPLICATE)
        self.pixels = padded
        """(H + 5, W + 5, 4) uint8, edges repeated, two pixels before the image, three after it."""
        self._weights = tap_weights()

    def sample(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        share: NDArray[np.float32],
        rows: NDArray[np.uint8],
    ) -> None:
        """Write the image at (x, y), each (N, W) float32, into rows (N, W, C) uint8.

        Edges are repeated. What has no share, (N, W) float32, is not written.
        """
        sample_rows(self.pixels, self._weights, x, y, share, self._channels, rows)


def tap_weights() -> NDArray[np.float32]:
    """(S + 1, 4) float32, the weights of the four pixels around a fraction of 0 to 1.

    Keys 1981, equation 4, with the free parameter of OpenCV.
    """
    fraction = np.arange(_STEPS + 1, dtype=np.float32) / np.float32(_STEPS)
    a = _SHARPNESS
    near = [((a + 2) * t - (a + 3)) * t * t + 1 for t in (fraction, 1 - fraction)]
    far = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in (fraction + 1, 2 - fraction)]
    return np.ascontiguousarray(np.stack([far[0], near[0], near[1], far[1]], axis=1), np.float32)
