"""Restore the texture contrast that an image lost by resampling.

Sampling between pixels and averaging overlapping patches both soften the finest strokes. The loss
can be measured: each pixel's position in the key is known, and so is the contrast of the key there.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.guides.kernels import sharpen_rows

_BOX = (9, 9)
_FINEST = 0.6
"""Sigma in pixels of the blur that separates the finest detail, which is amplified."""
_FLOOR = np.float32(2.0)
"""Mean square, in 8-bit levels, below which there is no texture to restore."""
_MAX_GAIN = np.float32(1.8)
_VOTED_STRENGTH = np.float32(1.35)
"""Strength of the restoration for voted pixels; those sampled from one place lose less contrast."""


def local_contrast(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) float32: local mean square of the finest detail of (H, W, 3 or 4) uint8."""
    code = cv2.COLOR_RGBA2GRAY if image.shape[2] == 4 else cv2.COLOR_RGB2GRAY
    luma = cv2.cvtColor(image, code).astype(np.float32)
    detail = cv2.subtract(luma, cv2.GaussianBlur(luma, (0, 0), _FINEST))
    square = cv2.multiply(detail, detail, dst=detail)
    contrast: NDArray[np.float32] = cv2.blur(square, _BOX)
    return contrast


def restoration_strength(confidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) float32: 1 where pixels were sampled (confidence 1), more where voted (0)."""
    strength: NDArray[np.float32] = _VOTED_STRENGTH - (_VOTED_STRENGTH - np.float32(1)) * confidence
    return strength


def restore_contrast(
    image: NDArray[np.uint8],
    target_contrast: NDArray[np.float32],
    strength: NDArray[np.float32],
    *,
    threads: int | None = None,
) -> NDArray[np.uint8]:
    """Amplify the finest detail of an image (H, W, 3 or 4) uint8 to ``target_contrast`` (H, W).

    strength: (H, W) float32 ≥ 0; 1 restores fully, more than 1 corrects softening that a local mean
    underestimates. Detail is never reduced, is amplified 1 + 0.8 · strength times at most, and is
    not created where the source has none. Alpha does not change.
    """
    contrast, restored = local_contrast(image), image.copy()
    blurred = cv2.GaussianBlur(np.ascontiguousarray(image[..., :3]), (0, 0), _FINEST)
    run_bands(
        lambda start, stop: sharpen_rows(
            image, blurred, contrast, target_contrast, strength,
            _FLOOR, _MAX_GAIN, restored, start, stop,
        ),
        image.shape[0],
        band=64,
        threads=threads,
    )  # fmt: skip
    return restored
