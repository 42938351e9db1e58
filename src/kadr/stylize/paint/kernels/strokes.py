"""Draw planned strokes on rows of a canvas."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kadr.stylize.looks.kernels.oriented_box import row_of_box


class Strokes(NamedTuple):
    """Strokes in the order in which they are drawn.

    shape: (N, 12) float32: x, y, direction x, y, bend, half length, half width, R, G, B, cover 0–1
    and relief 0–1.
    mark: (N,) int32, index of the brush mark, modulo their count.
    """

    shape: NDArray[np.float32]
    mark: NDArray[np.int32]


@njit(inline="always")
def _sample(mark: np.ndarray, u: float, v: float, c: int) -> float:
    """Channel ``c`` of a mark at u, v in -1–1, bilinear."""
    rows, columns, _ = mark.shape
    x = (u * np.float32(0.5) + np.float32(0.5)) * np.float32(columns - 1)
    y = (v * np.float32(0.5) + np.float32(0.5)) * np.float32(rows - 1)
    x0, y0 = min(int(x), columns - 2), min(int(y), rows - 2)
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    top = mark[y0, x0, c] + fx * (mark[y0, x0 + 1, c] - mark[y0, x0, c])
    low = mark[y0 + 1, x0, c] + fx * (mark[y0 + 1, x0 + 1, c] - mark[y0 + 1, x0, c])
    value: float = top + fy * (low - top)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def draw_rows(
    strokes: np.ndarray,
    mark_of: np.ndarray,
    image: np.ndarray,
    marks: np.ndarray,
    edge: float,
    canvas: np.ndarray,
    relief: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Draw all strokes, in order, on rows ``[start, stop)`` of ``canvas`` and ``relief``.

    edge: squared colour difference to ``image`` at which a stroke thins to half.
    """
    width = canvas.shape[1]
    thin = np.float32(edge)
    one = np.float32(1)
    for index in range(strokes.shape[0]):
        sx, sy, dx, dy, bend, half_length, half_width, r, g, b, most, height = strokes[index]
        # how far a bent stroke departs from its axis
        swing = half_width + abs(bend) * half_length * half_length * np.float32(0.5)
        reach_x = abs(dx) * half_length + abs(dy) * swing
        reach_y = abs(dy) * half_length + abs(dx) * swing
        top, bottom = max(start, int(sy - reach_y)), min(stop, int(sy + reach_y) + 2)
        left, right = max(0, int(sx - reach_x)), min(width, int(sx + reach_x) + 2)
        mark = marks[mark_of[index] % marks.shape[0]]
        for y in range(top, bottom):
            py = np.float32(y) - sy
            first, last = row_of_box(py, dx, dy, half_length, swing)
            for x in range(max(left, int(sx + first)), min(right, int(sx + last) + 2)):
                px = np.float32(x) - sx
                along = px * dx + py * dy
                across = py * dx - px * dy - np.float32(0.5) * bend * along * along
                u, v = along / half_length, across / half_width
                if u < -one or u > one or v < -one or v > one:
                    continue
                er, eg, eb = image[y, x, 0] - r, image[y, x, 1] - g, image[y, x, 2] - b
                gap = (er * er + eg * eg + eb * eb) / thin
                cover = most * _sample(mark, u, v, 0) / (one + gap * gap)
                if cover < np.float32(0.01):
                    continue
                canvas[y, x, 0] += cover * (r - canvas[y, x, 0])
                canvas[y, x, 1] += cover * (g - canvas[y, x, 1])
                canvas[y, x, 2] += cover * (b - canvas[y, x, 2])
                relief[y, x] += cover * (height * _sample(mark, u, v, 1) - relief[y, x])
