"""Kernels that finish rows of a frame at full size. NumPy and Numba only.

``channels`` is a tuple of the numbers 0 to C - 1: its length is known when a kernel is compiled, so
that loops over colours are unrolled.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_CENTER, _BESIDE = np.float32(0.6672), np.float32(0.1664)
"""A Gaussian of sigma 0.6 pixels on three pixels."""
_LUMA = (np.float32(0.299), np.float32(0.587), np.float32(0.114))


_NEAR = np.float32(2)
"""Work pixels by which the motion of two neighbours may differ, so that they count as one."""


@njit(nogil=True, cache=True, error_model="numpy")
def agree_rows(motion: np.ndarray, agreed: np.ndarray, start: int, stop: int) -> None:
    """The mean motion of the neighbours that a work pixel moves with, for rows of (h, w, 2).

    A match is a whole number of pixels, their mean is not. A pixel that moves with none of its
    eight neighbours moves with the most of them that move as one, if these are three or more.
    """
    height, width, _ = motion.shape
    for y in range(start, stop):
        for x in range(width):
            sum_x, sum_y, count = np.float32(0), np.float32(0), 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if _is_near(motion, y, x, v, u):
                        sum_x += motion[v, u, 0]
                        sum_y += motion[v, u, 1]
                        count += 1
            agreed[y, x, 0] = sum_x / count
            agreed[y, x, 1] = sum_y / count
            if count > 1:
                continue
            most = 2
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    together = 0
                    for b in range(max(y - 1, 0), min(y + 2, height)):
                        for a in range(max(x - 1, 0), min(x + 2, width)):
                            together += _is_near(motion, v, u, b, a)
                    if together > most:
                        most = together
                        agreed[y, x, 0] = motion[v, u, 0]
                        agreed[y, x, 1] = motion[v, u, 1]


@njit(inline="always")
def _is_near(motion: np.ndarray, y: int, x: int, v: int, u: int) -> bool:
    dx = motion[v, u, 0] - motion[y, x, 0]
    dy = motion[v, u, 1] - motion[y, x, 1]
    return dx * dx + dy * dy <= _NEAR * _NEAR


@njit(nogil=True, cache=True, error_model="numpy")
def vote_rows(
    style: np.ndarray,
    offsets: np.ndarray,
    share: np.ndarray,
    last_share: float,
    channels: tuple[int, ...],
    rows: np.ndarray,
    start: int,
) -> None:
    """Mix voted pixels into rows ``start`` and following of a frame by ``1 - share``.

    style: (H, W, C) uint8 of the key. offsets: (h, w, 2) int32, from a pixel of the frame to that
    of the key, in pixels of the full size, at each work pixel. share: (rows, W) float32; pixels
    above ``last_share`` are left as they are. rows: (rows, W, C) uint8.
    A voted pixel is the mean of the key where the patches of the four work pixels around it put it,
    weighted by a tent: no edge of a patch shows. Each patch moves as a whole.
    """
    height, width, _ = style.shape
    small_height, small_width, _ = offsets.shape
    scale_x = small_width / width
    half = np.float32(0.5)
    for j in range(len(rows)):
        y = start + j
        small_y = min(max((y + 0.5) * small_height / height - 0.5, 0.0), small_height - 1.0)
        top = int(small_y)
        bottom = min(top + 1, small_height - 1)
        below = np.float32(small_y - top)
        for x in range(width):
            if share[j, x] > last_share:
                continue
            small_x = min(max((x + 0.5) * scale_x - 0.5, 0.0), small_width - 1.0)
            left = int(small_x)
            right = min(left + 1, small_width - 1)
            beside = np.float32(small_x - left)
            a_row, a_column = _moved(offsets[top, left], y, x, height, width)
            b_row, b_column = _moved(offsets[top, right], y, x, height, width)
            c_row, c_column = _moved(offsets[bottom, left], y, x, height, width)
            d_row, d_column = _moved(offsets[bottom, right], y, x, height, width)
            for c in range(len(channels)):
                a = np.float32(style[a_row, a_column, c])
                b = np.float32(style[b_row, b_column, c])
                upper = a + beside * (b - a)
                a = np.float32(style[c_row, c_column, c])
                b = np.float32(style[d_row, d_column, c])
                lower = a + beside * (b - a)
                voted = upper + below * (lower - upper)
                mixed = voted + share[j, x] * (np.float32(rows[j, x, c]) - voted)
                rows[j, x, c] = np.uint8(mixed + half)


@njit(inline="always")
def _moved(offset: np.ndarray, y: int, x: int, height: int, width: int) -> tuple[int, int]:
    """(row, column) that an offset (x, y) leads to, inside the frame."""
    return min(max(y + offset[1], 0), height - 1), min(max(x + offset[0], 0), width - 1)


@njit(nogil=True, cache=True, error_model="numpy")
def detail_rows(
    image: np.ndarray, channels: tuple[int, ...], detail: np.ndarray, square: np.ndarray
) -> None:
    """The finest detail of rows of an image, and the square of its luma.

    image: (H, W · C) uint8. detail: (H, W · C) float32, what a Gaussian of sigma 0.6 removes.
    square: (H, W) float32. Rows and columns beyond the edges repeat the outermost ones.
    """
    height, count = image.shape
    step = len(channels)
    blurred = np.empty(count + 2 * step, np.float32)
    for y in range(height):
        above, row, below = image[max(y - 1, 0)], image[y], image[min(y + 1, height - 1)]
        for k in range(count):
            outer = np.float32(above[k]) + np.float32(below[k])
            blurred[k + step] = _CENTER * np.float32(row[k]) + _BESIDE * outer
        for c in range(step):
            blurred[c] = blurred[step + c]
            blurred[count + step + c] = blurred[count + c]
        for k in range(count):
            outer = blurred[k] + blurred[k + 2 * step]
            detail[y, k] = np.float32(row[k]) - _CENTER * blurred[k + step] - _BESIDE * outer
        for x in range(square.shape[1]):
            luma = np.float32(0)
            for c in range(3):
                luma += _LUMA[c] * detail[y, x * step + c]
            square[y, x] = luma * luma


@njit(nogil=True, cache=True, error_model="numpy")
def sharpen_rows(
    image: np.ndarray,
    detail: np.ndarray,
    contrast: np.ndarray,
    target: np.ndarray,
    strength: np.ndarray,
    floor: float,
    max_gain: float,
    channels: tuple[int, ...],
    output: np.ndarray,
) -> None:
    """Amplify ``detail`` from ``contrast`` to ``target``, by ``strength``; alpha stays.

    image, output: (H, W · C) uint8. detail: (H, W · C) float32. The others: (H, W) float32.
    """
    step = len(channels)
    height, width = contrast.shape
    one, most = np.float32(1), np.float32(max_gain)
    gain = np.zeros(width * step, np.float32)
    for y in range(height):
        for x in range(width):
            ratio = (target[y, x] + np.float32(floor)) / (contrast[y, x] + np.float32(floor))
            excess = (min(np.sqrt(max(ratio, one)), most) - one) * strength[y, x]
            for c in range(3):
                gain[x * step + c] = excess
        for k in range(width * step):
            value = np.float32(image[y, k]) + gain[k] * detail[y, k]
            output[y, k] = np.uint8(
                min(max(value, np.float32(0)), np.float32(255)) + np.float32(0.5)
            )
