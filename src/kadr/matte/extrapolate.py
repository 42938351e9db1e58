"""Continue a field of the subject beyond its outline, where optical flow mixes two motions.

An outline moves with the subject, which hides what is behind it. But close to it the flow belongs
to either side, and what is hidden or appears has none.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field, grid

_Plane = NDArray[np.float32]

_LEAST_WEIGHT = 1e-3
"""Share of a window that must have values, below which the field itself is kept."""
_RIDGE = 0.01
"""Added to the variance of positions, in squared radii: few samples give no slope."""


def extrapolate(field: Field, weight: _Plane, radius: int) -> tuple[Field, _Plane]:
    """Fit an affine function to a field around each pixel (moving least squares).

    field: (H, W, 2) float32, of small values, such as displacements. weight: (H, W) 0–1, how far
    the field holds at a pixel. radius: of the windows, in pixels. It is computed at half the size.
    Returns the fitted field, where there is nothing to fit the field itself, and the share of each
    window that had values, (H, W).
    """
    height, width = weight.shape
    half = max(1, width // 2), max(1, height // 2)
    weights = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    weighted = cv2.resize(field * weight[..., None], half, interpolation=cv2.INTER_AREA)
    fitted, share = _fit(weighted, weights, max(1, radius // 2))
    fitted = cv2.resize(fitted, (width, height), interpolation=cv2.INTER_LINEAR)
    share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
    empty = share < _LEAST_WEIGHT
    fitted[empty] = field[empty]
    return fitted, share


def _fit(weighted: Field, weight: _Plane, radius: int) -> tuple[Field, _Plane]:
    """See ``extrapolate``; weighted: the field times its weight."""
    height, width = weight.shape
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        # twice, so that windows fade out instead of ending
        once = cv2.blur(values, window, borderType=cv2.BORDER_CONSTANT)
        blurred: NDArray[np.float32] = cv2.blur(once, window, borderType=cv2.BORDER_CONSTANT)
        return blurred

    # in radii from the middle, so that squares stay small
    x, y = np.moveaxis(grid(height, width) / np.float32(radius), 2, 0)
    x, y = x - x.mean(), y - y.mean()
    share = mean(weight)
    total = np.maximum(share, np.float32(1e-6))
    mean_x, mean_y = mean(weight * x) / total, mean(weight * y) / total
    ridge = np.float32(_RIDGE)
    xx = mean(weight * x * x) / total - mean_x * mean_x + ridge
    yy = mean(weight * y * y) / total - mean_y * mean_y + ridge
    xy = mean(weight * x * y) / total - mean_x * mean_y
    determinant = np.maximum(xx * yy - xy * xy, np.float32(1e-8))
    fitted = np.empty_like(weighted)
    for axis in (0, 1):
        values = np.ascontiguousarray(weighted[..., axis])
        mean_value = mean(values) / total
        vx = mean(values * x) / total - mean_value * mean_x
        vy = mean(values * y) / total - mean_value * mean_y
        slope_x = (yy * vx - xy * vy) / determinant
        slope_y = (xx * vy - xy * vx) / determinant
        fitted[..., axis] = mean_value + slope_x * (x - mean_x) + slope_y * (y - mean_y)
    return fitted, share
