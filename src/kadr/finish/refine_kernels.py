"""The kernel that refines matches on a larger image of key and frame. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit

_CHANGE = 1
"""Mean squared difference, in 8-bit levels, by which another offset has to be better."""


@njit(nogil=True, cache=True, error_model="numpy")
def refine_rows(
    matches: np.ndarray,
    transport: np.ndarray,
    needed: np.ndarray,
    key: np.ndarray,
    frame: np.ndarray,
    refined: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write the refined matches of rows ``start`` to ``stop``.

    matches, transport, refined: (h, w, 2) float32 positions in the key. needed: (h, w) bool, the
    pixels to refine. key, frame: (H, W) gray uint8, at least as large. A pixel and a margin of one
    larger pixel around it are compared at the offsets of its match, of its neighbours' matches and
    of the transport, then at the offsets around the best of them. Only ``matches`` is read, so that
    rows do not depend on each other.
    """
    height, width = needed.shape
    scale_x, scale_y = frame.shape[1] / width, frame.shape[0] / height
    for y in range(start, stop):
        top, bottom = int(y * scale_y) - 1, int(np.ceil((y + 1) * scale_y)) + 1
        for x in range(width):
            if not needed[y, x]:
                refined[y, x, 0], refined[y, x, 1] = matches[y, x, 0], matches[y, x, 1]
                continue
            left, right = int(x * scale_x) - 1, int(np.ceil((x + 1) * scale_x)) + 1
            change = _CHANGE * (right - left) * (bottom - top)
            best_x, best_y = _offset(matches, x, y, scale_x, scale_y)
            least = _difference(
                key, frame, left, right, top, bottom, best_x, best_y, np.int64(1 << 40)
            )
            least = max(least - change, 0)
            for candidate in range(5):
                if candidate == 0:
                    offset_x, offset_y = _offset(transport, x, y, scale_x, scale_y)
                else:
                    u = x + (candidate == 1) - (candidate == 2)
                    v = y + (candidate == 3) - (candidate == 4)
                    if u < 0 or v < 0 or u >= width or v >= height:
                        continue
                    offset_x, offset_y = _offset(matches, u, v, scale_x, scale_y)
                if offset_x == best_x and offset_y == best_y:
                    continue
                difference = _difference(
                    key, frame, left, right, top, bottom, offset_x, offset_y, least
                )
                if difference < least:
                    least, best_x, best_y = difference, offset_x, offset_y
            center_x, center_y = best_x, best_y
            for j in range(-1, 2):
                for i in range(-1, 2):
                    extra = change * (i * i + j * j)
                    if extra == 0 or extra >= least:
                        continue
                    difference = extra + _difference(
                        key, frame, left, right, top, bottom,
                        center_x + i, center_y + j, least - extra,
                    )  # fmt: skip
                    if difference < least:
                        least, best_x, best_y = difference, center_x + i, center_y + j
            refined[y, x, 0] = x + best_x / scale_x
            refined[y, x, 1] = y + best_y / scale_y


@njit(inline="always")
def _offset(
    positions: np.ndarray, x: int, y: int, scale_x: float, scale_y: float
) -> tuple[int, int]:
    """The motion at a pixel in whole pixels of the larger image."""
    return (
        int(np.floor((positions[y, x, 0] - x) * scale_x + 0.5)),
        int(np.floor((positions[y, x, 1] - y) * scale_y + 0.5)),
    )


@njit(inline="always")
def _difference(
    key: np.ndarray,
    frame: np.ndarray,
    left: int,
    right: int,
    top: int,
    bottom: int,
    offset_x: int,
    offset_y: int,
    limit: int,
) -> int:
    """Sum of squared differences, or, once it is no less than ``limit``, part of it."""
    height, width = frame.shape
    total = np.int64(0)
    inside = (
        min(left, top, left + offset_x, top + offset_y) >= 0
        and max(right, right + offset_x) <= width
        and max(bottom, bottom + offset_y) <= height
    )
    for y in range(top, bottom):
        row = np.int32(0)
        if inside:
            frame_row, key_row = np.uintp(y), np.uintp(y + offset_y)
            for x in range(left, right):
                gray = np.int32(frame[frame_row, np.uintp(x)])
                error = gray - np.int32(key[key_row, np.uintp(x + offset_x)])
                row += error * error
        else:
            edge_y = min(max(y, 0), height - 1)
            key_y = min(max(y + offset_y, 0), height - 1)
            for x in range(left, right):
                gray = np.int32(frame[edge_y, min(max(x, 0), width - 1)])
                error = gray - np.int32(key[key_y, min(max(x + offset_x, 0), width - 1)])
                row += error * error
        total += row
        if total >= limit:
            break
    return int(total)
