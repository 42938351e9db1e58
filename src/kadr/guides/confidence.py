"""Measure the local similarity of a warped keyframe and a frame, and map it smoothly to 0–1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.guides.kernels import similarity_rows

NOISE = 6.0
"""Contrast in 8-bit levels below which differences count as noise, over a large window."""
_LIGHT = 24.0
"""Difference of local means, in 8-bit levels, that halves a similarity."""


def similarity(
    warped: NDArray[np.uint8], frame: NDArray[np.uint8], window: int = 9, noise: float = NOISE
) -> NDArray[np.float32]:
    """Local structural similarity of two images, (H, W) float32 in −1…1, 1 for equal.

    warped, frame: (H, W, C) uint8. window: side of the box in pixels, odd, 9 at most. noise:
    contrast in 8-bit levels that counts as noise. SSIM (Wang et al. 2004) over a box, with
    constants from the noise of real clips, so that flat areas that differ by noise only are
    similar. A change of light is not a change of position, so a difference of local means lowers
    the value only slowly.
    """
    warped, frame = (np.require(image, requirements=["C", "W"]) for image in (warped, frame))
    value = np.empty(frame.shape[:2], np.float32)
    run_bands(
        lambda start, stop: similarity_rows(
            warped, frame, value, window // 2, noise**2, _LIGHT**2, start, stop
        ),
        frame.shape[0],
        band=64,
    )
    return value


def smoothstep(value: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """0 below ``low``, 1 above ``high``, a smooth cubic in between."""
    t: NDArray[np.float32] = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)
