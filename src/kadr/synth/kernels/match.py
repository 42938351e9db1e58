"""Convert source positions to flat matches and back, over a band of rows."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(inline="always")
def _source_of_row(tops: np.ndarray, row: int) -> int:
    """Index of the source that a row of the atlas belongs to."""
    index = 0
    while index + 1 < tops.size and row >= tops[index + 1]:
        index += 1
    return index


@njit(inline="always")
def _flat_match(
    x: int,
    y: int,
    index: int,
    tops: np.ndarray,
    heights: np.ndarray,
    widths: np.ndarray,
    stride: int,
    valid: np.ndarray,
) -> int:
    """A position clamped into its source, as a flat match; −1 if it is not valid."""
    column = min(max(x, 0), widths[index] - 1)
    row = min(max(y, 0), heights[index] - 1)
    match = (row + tops[index]) * stride + column
    return match if valid[match] else -1


@njit(nogil=True, cache=True, error_model="numpy")
def flatten_rows(
    positions: np.ndarray,
    source: np.ndarray | None,
    tops: np.ndarray,
    heights: np.ndarray,
    widths: np.ndarray,
    stride: int,
    valid: np.ndarray,
    flat: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Round and clamp (x, y) positions into their source; −1 where the match is not valid."""
    width = positions.shape[1]
    for y in range(start, stop):
        for x in range(width):
            px, py = positions[y, x, 0], positions[y, x, 1]
            pixel = y * width + x
            if not (np.isfinite(px) and np.isfinite(py)):
                flat[pixel] = -1
                continue
            index = np.intp(0) if source is None else np.intp(source[y, x])
            limit = np.float32(1 << 20)  # keeps the conversion to integers in its range
            column = np.intp(np.rint(min(max(px, -limit), limit)))
            row = np.intp(np.rint(min(max(py, -limit), limit)))
            flat[pixel] = _flat_match(column, row, index, tops, heights, widths, stride, valid)


@njit(nogil=True, cache=True, error_model="numpy")
def double_rows(
    # the coarse level
    coarse: np.ndarray,
    coarse_width: int,
    coarse_tops: np.ndarray,
    coarse_stride: int,
    # the fine level
    tops: np.ndarray,
    heights: np.ndarray,
    widths: np.ndarray,
    stride: int,
    valid: np.ndarray,
    flat: np.ndarray,
    width: int,
    start: int,
    stop: int,
) -> None:
    """Upsample matches to a level twice as large, keeping pixel parity; −1 where invalid."""
    coarse_height = coarse.size // coarse_width
    for y in range(start, stop):
        coarse_y = min(y >> 1, coarse_height - 1)
        for x in range(width):
            match = np.intp(coarse[coarse_y * coarse_width + min(x >> 1, coarse_width - 1)])
            row = match // coarse_stride
            index = _source_of_row(coarse_tops, row)
            column = 2 * (match - row * coarse_stride) + (x & 1)
            row = 2 * (row - coarse_tops[index]) + (y & 1)
            flat[y * width + x] = _flat_match(
                column, row, index, tops, heights, widths, stride, valid
            )


@njit(nogil=True, cache=True, error_model="numpy")
def result_rows(
    # input arrays
    flat: np.ndarray,
    ssd: np.ndarray,
    mask: np.ndarray,
    tops: np.ndarray,
    # output arrays
    image: np.ndarray,
    positions: np.ndarray,
    source: np.ndarray,
    error: np.ndarray,
    # plain numbers
    stride: int,
    unit: float,
    start: int,
    stop: int,
) -> None:
    """Write each match's (x, y), its source, and its cost ``ssd · unit``.

    Outside the mask the position is −1 and all other values are 0, the image included.
    """
    width = mask.shape[1]
    for y in range(start, stop):
        for x in range(width):
            pixel = np.uintp(y * width + x)
            if not mask[y, x]:
                positions[y, x, 0] = -1
                positions[y, x, 1] = -1
                source[y, x] = 0
                error[y, x] = 0
                image[y, x] = 0
                continue
            match = np.uint32(flat[pixel])
            row = match // np.uint32(stride)
            index = _source_of_row(tops, np.intp(row))
            positions[y, x, 0] = match - row * np.uint32(stride)
            positions[y, x, 1] = np.intp(row) - tops[index]
            source[y, x] = index
            error[y, x] = np.float32(ssd[pixel]) * np.float32(unit)
