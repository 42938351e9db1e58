"""A resampled image and the contrast its texture had at the source in, that contrast back out.

Sampling between pixels and averaging overlapping patches both soften the finest strokes. How much
is known: every pixel's place in the key is known, and so is the contrast that the key has there.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_BOX = (9, 9)
_FINEST = 0.6
"""Sigma in pixels: only what lies above it was softened, and only that is raised."""
_FLOOR = np.float32(2.0)
"""Mean square, in 8-bit levels, below which there is no texture to restore."""
_MOST = np.float32(1.8)


def local_contrast(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) float32: local mean square of the finest detail of (H, W, 3 or 4) uint8."""
    code = cv2.COLOR_RGBA2GRAY if image.shape[2] == 4 else cv2.COLOR_RGB2GRAY
    level = cv2.cvtColor(image, code).astype(np.float32)
    square = np.square(level - cv2.GaussianBlur(level, (0, 0), _FINEST))
    contrast: NDArray[np.float32] = cv2.blur(square, _BOX)
    return contrast


def restore_contrast(
    image: NDArray[np.uint8], wanted: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Amplify the finest detail of ``image`` (H, W, 3 or 4) uint8 towards ``wanted`` (H, W).

    share: (H, W) float32 ≥ 0, how much of the way to go; above 1 leads beyond, for softening that
    a local mean does not show whole. Detail is never damped, at most amplified 1 + 0.8 · share
    times, and none is made where the source had none. Alpha stays as it is.
    """
    gain = np.sqrt((wanted + _FLOOR) / (local_contrast(image) + _FLOOR))
    excess = (np.clip(gain, 1, _MOST) - 1) * share
    colors = image[..., :3]
    soft = cv2.GaussianBlur(colors, (0, 0), _FINEST).astype(np.float32)
    restored = image.copy()
    sharp = colors + excess[..., None] * (colors - soft)
    restored[..., :3] = np.clip(np.rint(sharp), 0, 255).astype(np.uint8)
    return restored
