"""The kernel that enlarges planes. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def enlarge_rows_into(
    planes: np.ndarray,
    left: np.ndarray,
    share: np.ndarray,
    enlarged: np.ndarray,
    height: int,
    start: int,
) -> None:
    """Enlarge planes (N, h, w) to rows ``start`` and following of ``height``, (N, rows, W).

    left: (W,) int32, the column left of each pixel. share: (W,) float32, that of the next column.
    """
    count, small_height, small_width = planes.shape
    row = np.empty(small_width, np.float32)
    step = 1 if small_width > 1 else 0
    for i in range(count):
        for j in range(enlarged.shape[1]):
            y = (start + j + 0.5) * small_height / height - 0.5
            y = min(max(y, 0.0), small_height - 1.0)
            top = min(int(y), max(small_height - 2, 0))
            bottom = min(top + 1, small_height - 1)
            below = np.float32(y - top)
            for k in range(small_width):
                row[k] = planes[i, top, k] + below * (planes[i, bottom, k] - planes[i, top, k])
            for x in range(enlarged.shape[2]):
                k = left[x]
                enlarged[i, j, x] = row[k] + share[x] * (row[k + step] - row[k])
