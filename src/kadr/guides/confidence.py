"""What a key claims a frame shows and what it shows in, how far the claim can be trusted out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.guides.kernels import similarity_rows

_NOISE = 6.0
"""Contrast in 8-bit levels below which differences are taken for noise."""
_LIGHT = 24.0
"""Difference of local means, in 8-bit levels, that halves a similarity."""


def similarity(
    claim: NDArray[np.uint8], frame: NDArray[np.uint8], window: int = 9
) -> NDArray[np.float32]:
    """Local structural similarity of two images, (H, W) float32 in −1…1, 1 for equal.

    claim, frame: (H, W, C) uint8. SSIM (Wang et al. 2004) over a box window, with constants from
    the noise of footage, so that flat areas which differ by noise agree. A change of light is no
    change of place: levels count by their distance alone, gently.
    """
    claim, frame = (np.require(image, requirements=["C", "W"]) for image in (claim, frame))
    value = np.empty(frame.shape[:2], np.float32)
    run_bands(
        lambda start, stop: similarity_rows(
            claim, frame, value, window // 2, _NOISE**2, _LIGHT**2, start, stop
        ),
        frame.shape[0],
        band=64,
    )
    return value


def smoothstep(value: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """0 below ``low``, 1 above ``high``, a smooth cubic between."""
    t: NDArray[np.float32] = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)
