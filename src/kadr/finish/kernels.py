"""The kernel that votes overlapping patches of a key at full size. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def vote_rows(
    style: np.ndarray,
    nnf: np.ndarray,
    confidence: np.ndarray,
    confident: float,
    radius: int,
    output: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Mix voted pixels into rows ``start`` to ``stop`` of ``output`` by ``1 - confidence``.

    style: (H, W, C) uint8 of the key. nnf: (h, w, 2) float32 key positions at the work size.
    confidence: (H, W) float32; pixels above ``confident`` are left. Each pixel is the mean of the
    key at the positions that the patches around it, of (2·radius + 1)² work pixels, give it.
    output: (H, W, C) uint8.
    """
    height, width, channels = output.shape
    small_height, small_width = nnf.shape[:2]
    scale_x, scale_y = width / small_width, height / small_height
    sums = np.zeros(channels, np.float32)
    for y in range(start, stop):
        center_y = int((y + 0.5) / scale_y)
        for x in range(width):
            sure = confidence[y, x]
            if sure > confident:
                continue
            center_x = int((x + 0.5) / scale_x)
            sums[:] = 0
            count = 0
            for v in range(max(center_y - radius, 0), min(center_y + radius + 1, small_height)):
                # position of this pixel relative to the patch's centre, in full pixels
                offset_y = y - ((v + 0.5) * scale_y - 0.5)
                for u in range(max(center_x - radius, 0), min(center_x + radius + 1, small_width)):
                    offset_x = x - ((u + 0.5) * scale_x - 0.5)
                    source_x = (nnf[v, u, 0] + 0.5) * scale_x - 0.5 + offset_x
                    source_y = (nnf[v, u, 1] + 0.5) * scale_y - 0.5 + offset_y
                    column = min(max(int(np.floor(source_x + 0.5)), 0), width - 1)
                    row = min(max(int(np.floor(source_y + 0.5)), 0), height - 1)
                    for c in range(channels):
                        sums[c] += style[row, column, c]
                    count += 1
            for c in range(channels):
                voted = sums[c] / count
                mixed = voted + sure * (output[y, x, c] - voted)
                output[y, x, c] = np.uint8(min(max(mixed + 0.5, 0.0), 255.0))
