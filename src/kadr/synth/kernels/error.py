"""Compute the cost of each pixel's match, over a band of rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from kadr.synth.kernels.patch import patch_ssd


@njit(nogil=True, cache=True, error_model="numpy")
def error_rows(
    # input arrays
    target: np.ndarray,
    source: np.ndarray,
    modulation: np.ndarray | None,
    active: np.ndarray,
    nnf: np.ndarray,
    # output array
    ssd: np.ndarray,
    # plain numbers
    width: int,
    target_stride: int,
    source_stride: int,
    start: int,
    stop: int,
    channels: tuple[None, ...],
    patch: tuple[None, ...],
) -> None:
    """Write each active pixel's patch SSD into ``ssd`` for rows ``[start, stop)``."""
    count = len(channels)
    for y in range(start, stop):
        for x in range(width):
            pixel = np.uintp(y * width + x)
            if active[pixel]:
                ssd[pixel] = patch_ssd(
                    target, (y * target_stride + x) * count, target_stride * count,
                    source, np.intp(nnf[pixel]) * count, source_stride * count,
                    modulation, 1 << 30, channels, patch,
                )  # fmt: skip
