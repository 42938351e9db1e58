"""Kernels that mix the bands of several images by weights. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def mix_rows(
    bands: np.ndarray,
    weights: np.ndarray,
    mixed: np.ndarray,
    target_energy: np.ndarray,
    mixed_energy: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Mix ``bands`` (N, H, W, C) by ``weights`` (N, H, W); write the energies before and after.

    mixed: (H, W, C). target_energy: (H, W), weighted mean square of the bands. mixed_energy: (H,
    W), mean square of the mix. All float32.
    """
    count, _, width, channels = bands.shape
    share = np.float32(1.0 / channels)
    for y in range(start, stop):
        for x in range(width):
            energy_before, energy_after = np.float32(0), np.float32(0)
            for c in range(channels):
                value = np.float32(0)
                for i in range(count):
                    part = weights[i, y, x] * bands[i, y, x, c]
                    value += part
                    energy_before += part * bands[i, y, x, c]
                mixed[y, x, c] = value
                energy_after += value * value
            target_energy[y, x] = energy_before * share
            mixed_energy[y, x] = energy_after * share


@njit(nogil=True, cache=True, error_model="numpy")
def add_band_rows(
    image: np.ndarray,
    mixed: np.ndarray,
    target_energy: np.ndarray,
    mixed_energy: np.ndarray,
    max_gain: float,
    start: int,
    stop: int,
) -> None:
    """Add ``mixed`` to ``image`` (H, W, C), raised from ``mixed_energy`` to ``target_energy``.

    Factors lie between 1 and ``max_gain``. All arrays float32.
    """
    _, width, channels = image.shape
    half, one, top = np.float32(0.5), np.float32(1), np.float32(max_gain * max_gain)
    for y in range(start, stop):
        for x in range(width):
            ratio = (target_energy[y, x] + half) / (mixed_energy[y, x] + half)
            gain = np.sqrt(min(max(ratio, one), top))
            for c in range(channels):
                image[y, x, c] += gain * mixed[y, x, c]
