"""The kernel of the anisotropic Kuwahara filter."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def kuwahara_rows(
    padded: np.ndarray,
    tangent: np.ndarray,
    coherence: np.ndarray,
    taps: np.ndarray,
    margin: int,
    radius: float,
    anisotropy: float,
    sharpness: float,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write rows ``[start, stop)`` of ``out``."""
    sectors, count, _ = taps.shape
    width = out.shape[1]
    half = np.float32(0.5 * sharpness)
    for y in range(start, stop):
        for x in range(width):
            stretch = np.float32(1) + np.float32(anisotropy) * coherence[y, x]
            along, across = np.float32(radius) * stretch, np.float32(radius) / stretch
            ax, ay = tangent[y, x, 0] * along, tangent[y, x, 1] * along
            bx, by = -tangent[y, x, 1] * across, tangent[y, x, 0] * across
            cx, cy = np.float32(x + margin + 0.5), np.float32(y + margin + 0.5)
            total = np.float32(0)
            r, g, b = np.float32(0), np.float32(0), np.float32(0)
            for sector in range(sectors):
                sr, sg, sb = np.float32(0), np.float32(0), np.float32(0)
                square = np.float32(0)
                for tap in range(count):
                    u, v = taps[sector, tap, 0], taps[sector, tap, 1]
                    weight = taps[sector, tap, 2]
                    px, py = int(cx + u * ax + v * bx), int(cy + u * ay + v * by)
                    sr += weight * padded[py, px, 0]
                    sg += weight * padded[py, px, 1]
                    sb += weight * padded[py, px, 2]
                    square += weight * padded[py, px, 3]
                spread = max(square - sr * sr - sg * sg - sb * sb, np.float32(0))
                # 255 is the paper's unit: a spread of about 16 grey steps halves the weight
                share = np.float32(1) / (np.float32(1) + (spread / np.float32(255)) ** half)
                total += share
                r += share * sr
                g += share * sg
                b += share * sb
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r / total, g / total, b / total
