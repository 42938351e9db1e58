"""The part of a row that lies within an oriented box: strokes are drawn without empty pixels."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(inline="always")
def row_of_box(
    y: float, dx: float, dy: float, half_length: float, half_width: float
) -> tuple[float, float]:
    """First and last x of a box at ``y``, all from its centre; the first is greater if it has none.

    dx, dy: the unit vector along the box.
    """
    least = np.float32(1e-3)
    first: float = np.float32(-1e6)
    last: float = np.float32(1e6)
    if abs(dx) > least:
        # |x dx + y dy| <= half_length
        middle, reach = -y * dy / dx, half_length / abs(dx)
        first, last = max(first, middle - reach), min(last, middle + reach)
    elif abs(y * dy) > half_length + np.float32(1):
        return np.float32(1), np.float32(-1)
    if abs(dy) > least:
        # |y dx - x dy| <= half_width
        middle, reach = y * dx / dy, half_width / abs(dy)
        first, last = max(first, middle - reach), min(last, middle + reach)
    elif abs(y * dx) > half_width + np.float32(1):
        return np.float32(1), np.float32(-1)
    return first, last
