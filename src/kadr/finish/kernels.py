"""The kernel that votes overlapping patches of a key at full size. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def vote_rows(
    style: np.ndarray,
    matches: np.ndarray,
    sure: np.ndarray,
    last_sure: float,
    output: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Mix voted pixels into rows ``start`` to ``stop`` of ``output`` by ``1 - sure``.

    style: (H, W, C) uint8 of the key. matches: (h, w, 2) float32 key positions at the work size.
    sure: (H, W) float32; pixels above ``last_sure`` are left as they are. A voted pixel is the
    weighted mean of the key where the patches of 3×3 work pixels around it put it. output: (H, W,
    C) uint8.
    """
    height, width, channels = output.shape
    small_height, small_width = matches.shape[:2]
    scale_x, scale_y = width / small_width, height / small_height
    sums = np.zeros(channels, np.float32)
    for y in range(start, stop):
        small_y = (y + 0.5) / scale_y - 0.5
        center_y = int(small_y + 0.5)
        for x in range(width):
            share = sure[y, x]
            if share > last_sure:
                continue
            small_x = (x + 0.5) / scale_x - 0.5
            center_x = int(small_x + 0.5)
            sums[:] = 0
            total = 0.0
            for v in range(max(center_y - 1, 0), min(center_y + 2, small_height)):
                weight_y = 1.5 - abs(small_y - v)
                for u in range(max(center_x - 1, 0), min(center_x + 2, small_width)):
                    # falls to 0 at the patch's edge, so that no edge shows
                    weight = weight_y * (1.5 - abs(small_x - u))
                    # the patch moves as a whole: this pixel keeps its place in it
                    source_x = x + (matches[v, u, 0] - u) * scale_x
                    source_y = y + (matches[v, u, 1] - v) * scale_y
                    column = min(max(int(np.floor(source_x + 0.5)), 0), width - 1)
                    row = min(max(int(np.floor(source_y + 0.5)), 0), height - 1)
                    for c in range(channels):
                        sums[c] += weight * style[row, column, c]
                    total += weight
            for c in range(channels):
                voted = sums[c] / total
                mixed = voted + share * (output[y, x, c] - voted)
                output[y, x, c] = np.uint8(min(max(mixed + 0.5, 0.0), 255.0))
