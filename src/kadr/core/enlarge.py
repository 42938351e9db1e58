"""Enlarge smooth planes row by row, so that no enlarged plane has to exist as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.kernels.enlarge import enlarge_rows_into

Planes = NDArray[np.float32]
"""(N, H, W) float32."""


def enlarge_rows(planes: Planes, size: tuple[int, int], start: int, stop: int) -> Planes:
    """Rows ``start`` to ``stop`` of planes (N, h, w) enlarged to ``size`` (width, height).

    Bilinear, with pixel centres at halves and edges repeated, as ``cv2.resize`` does it; returns
    (N, stop - start, width) float32, the same numbers whichever rows are asked for.
    """
    width, height = size
    small_width = planes.shape[2]
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) * np.float32(small_width / width)
    x = np.clip(x - np.float32(0.5), 0, small_width - 1)
    left = np.minimum(x.astype(np.int32), max(small_width - 2, 0))
    enlarged = np.empty((len(planes), stop - start, width), np.float32)
    enlarge_rows_into(planes, left, x - left.astype(np.float32), enlarged, height, start)
    return enlarged
