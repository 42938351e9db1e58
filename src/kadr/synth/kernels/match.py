"""Source positions in, flat matches out, and back, a band of rows at a time."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def flatten_rows(
    positions: np.ndarray,
    source: np.ndarray,
    tops: np.ndarray,
    heights: np.ndarray,
    widths: np.ndarray,
    stride: int,
    valid: np.ndarray,
    flat: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Round and clamp (x, y) positions into their source; −1 where that is no valid match."""
    width = positions.shape[1]
    for y in range(start, stop):
        for x in range(width):
            px, py = positions[y, x, 0], positions[y, x, 1]
            here = y * width + x
            if not (np.isfinite(px) and np.isfinite(py)):
                flat[here] = -1
                continue
            index = source[y, x]
            column = min(max(np.int64(np.rint(px)), 0), widths[index] - 1)
            row = min(max(np.int64(np.rint(py)), 0), heights[index] - 1)
            match = (row + tops[index]) * stride + column
            flat[here] = match if valid[match] else -1


@njit(nogil=True, cache=True, error_model="numpy")
def unflatten_rows(
    flat: np.ndarray,
    tops: np.ndarray,
    stride: int,
    positions: np.ndarray,
    source: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write each match's (x, y) in its source, and which source that is."""
    width = positions.shape[1]
    for y in range(start, stop):
        for x in range(width):
            match = flat[y * width + x]
            row = match // stride
            index = 0
            while index + 1 < tops.size and row >= tops[index + 1]:
                index += 1
            positions[y, x, 0] = match - row * stride
            positions[y, x, 1] = row - tops[index]
            source[y, x] = index
