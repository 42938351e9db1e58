"""Bands of several images with their weights in, rows of their mix out. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def mix_rows(
    bands: np.ndarray,
    weights: np.ndarray,
    mixed: np.ndarray,
    wanted: np.ndarray,
    have: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Mix ``bands`` (N, H, W, C) by ``weights`` (N, H, W); give the energies before and after.

    mixed: (H, W, C). wanted: (H, W), the weighted mean of the bands' squares. have: (H, W), the
    mix's own square. All float32.
    """
    count, _, width, channels = bands.shape
    share = np.float32(1.0 / channels)
    for y in range(start, stop):
        for x in range(width):
            before, after = np.float32(0), np.float32(0)
            for c in range(channels):
                value = np.float32(0)
                for i in range(count):
                    part = weights[i, y, x] * bands[i, y, x, c]
                    value += part
                    before += part * bands[i, y, x, c]
                mixed[y, x, c] = value
                after += value * value
            wanted[y, x] = before * share
            have[y, x] = after * share


@njit(nogil=True, cache=True, error_model="numpy")
def raise_rows(
    image: np.ndarray,
    mixed: np.ndarray,
    wanted: np.ndarray,
    have: np.ndarray,
    most: float,
    start: int,
    stop: int,
) -> None:
    """Add ``mixed`` to ``image`` (H, W, C), its contrast raised from ``have`` to ``wanted``.

    Factors lie between 1 and ``most``. All arrays float32.
    """
    _, width, channels = image.shape
    half, one, top = np.float32(0.5), np.float32(1), np.float32(most * most)
    for y in range(start, stop):
        for x in range(width):
            ratio = (wanted[y, x] + half) / (have[y, x] + half)
            gain = np.sqrt(min(max(ratio, one), top))
            for c in range(channels):
                image[y, x, c] += gain * mixed[y, x, c]
