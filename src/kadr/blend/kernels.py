"""Kernels that mix the bands of several images by weights. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def mix_rows(
    images: np.ndarray,
    coarse: np.ndarray,
    weights: np.ndarray,
    channels: tuple[int, ...],
    mixed: np.ndarray,
    target_energy: np.ndarray,
    mixed_energy: np.ndarray,
) -> None:
    """Mix the bands ``images - coarse`` by weights; write their energies before and after.

    Colours lie in one row, (W · C), so that loops over it are vectorized. images: (N, H, W · C)
    uint8. coarse: (N, H, W · C), the coarser level of each, enlarged. weights: (N, H, W). channels:
    the numbers 0 to C - 1; their count is known when the kernel is compiled. mixed: (H, W · C).
    target_energy: (H, W), weighted mean square of the bands. mixed_energy: (H, W), mean square of
    the mix. All but images float32.
    """
    count, height, width = weights.shape
    wide = np.empty(width * len(channels), np.float32)
    before = np.empty(width * len(channels), np.float32)
    share = np.float32(1.0 / len(channels))
    for y in range(height):
        mix = mixed[y]
        mix[:] = 0
        before[:] = 0
        for i in range(count):
            image, below = images[i, y], coarse[i, y]
            for x in range(width):
                for c in range(len(channels)):
                    wide[x * len(channels) + c] = weights[i, y, x]
            for k in range(len(wide)):
                band = np.float32(image[k]) - below[k]
                part = wide[k] * band
                mix[k] += part
                before[k] += part * band
        for x in range(width):
            sum_before, sum_after = np.float32(0), np.float32(0)
            for c in range(len(channels)):
                k = x * len(channels) + c
                sum_before += before[k]
                sum_after += mix[k] * mix[k]
            target_energy[y, x] = sum_before * share
            mixed_energy[y, x] = sum_after * share


@njit(nogil=True, cache=True, error_model="numpy")
def add_band_rows(
    image: np.ndarray,
    mixed: np.ndarray,
    target_energy: np.ndarray,
    mixed_energy: np.ndarray,
    max_gain: float,
    channels: tuple[int, ...],
    output: np.ndarray,
) -> None:
    """Write ``image`` plus ``mixed``, raised from ``mixed_energy`` to ``target_energy``.

    Factors lie between 1 and ``max_gain``. image, mixed: (H, W, C) float32; energies: (H, W)
    float32. channels: as of ``mix_rows``. output: (H, W, C) float32.
    """
    height, width, _ = image.shape
    half, one, top = np.float32(0.5), np.float32(1), np.float32(max_gain * max_gain)
    for y in range(height):
        for x in range(width):
            ratio = (target_energy[y, x] + half) / (mixed_energy[y, x] + half)
            gain = np.sqrt(min(max(ratio, one), top))
            for c in range(len(channels)):
                output[y, x, c] = image[y, x, c] + gain * mixed[y, x, c]
