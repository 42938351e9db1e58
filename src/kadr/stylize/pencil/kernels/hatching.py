"""Draw pencil strokes on rows of a sheet."""

from __future__ import annotations

import numpy as np
from numba import njit

from kadr.stylize.looks.kernels.oriented_box import row_of_box


@njit(cache=True, nogil=True, error_model="numpy")
def hatch_rows(
    strokes: np.ndarray, pressure: np.ndarray, sheet: np.ndarray, start: int, stop: int
) -> None:
    """Draw all strokes, in order, on rows ``[start, stop)`` of ``sheet``.

    strokes: (N, 8) float32: x, y, direction x, y, bend, half length, half width, most cover 0–1.
    pressure: (H, W) float32 0–1, how hard the pencil presses. sheet: (H, W) float32, the share of
    the paper that is still bare.
    """
    width = sheet.shape[1]
    one = np.float32(1)
    for index in range(strokes.shape[0]):
        sx, sy, dx, dy, bend, half_length, half_width, most = strokes[index]
        swing = half_width + abs(bend) * half_length * half_length * np.float32(0.5)
        reach_x = abs(dx) * half_length + abs(dy) * swing
        reach_y = abs(dy) * half_length + abs(dx) * swing
        top, bottom = max(start, int(sy - reach_y)), min(stop, int(sy + reach_y) + 2)
        left, right = max(0, int(sx - reach_x)), min(width, int(sx + reach_x) + 2)
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
                # a stroke is darkest in its middle, and lifts off at both ends
                profile, taper = one - v * v, one - u * u * u * u
                cover = most * pressure[y, x] * profile * taper
                sheet[y, x] *= one - cover
