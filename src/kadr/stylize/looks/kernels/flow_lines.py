"""Kernels of flow-guided lines: a difference of Gaussians across edges, averaged along them."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(inline="always")
def _sample(values: np.ndarray, x: float, y: float) -> float:
    """Values (H, W) at a position within ``[0, W - 1] × [0, H - 1]`` or beyond, bilinear."""
    height, width = values.shape
    x = min(max(x, np.float32(0)), np.float32(width - 1))
    y = min(max(y, np.float32(0)), np.float32(height - 1))
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    top = values[y0, x0] + fx * (values[y0, x1] - values[y0, x0])
    low = values[y1, x0] + fx * (values[y1, x1] - values[y1, x0])
    value: float = top + fy * (low - top)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def across_rows(
    values: np.ndarray,
    tangent: np.ndarray,
    weights: np.ndarray,
    step: float,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write rows ``[start, stop)``: samples across the tangent, ``step`` apart, summed by weights.

    weights: (T,) float32, of the centre first, then of pairs on both sides.
    """
    for y in range(start, stop):
        for x in range(values.shape[1]):
            nx, ny = -tangent[y, x, 1] * np.float32(step), tangent[y, x, 0] * np.float32(step)
            total = weights[0] * values[y, x]
            for tap in range(1, weights.shape[0]):
                ax, ay = np.float32(tap) * nx, np.float32(tap) * ny
                fx, fy = np.float32(x), np.float32(y)
                pair = _sample(values, fx + ax, fy + ay) + _sample(values, fx - ax, fy - ay)
                total += weights[tap] * pair
            out[y, x] = total


@njit(cache=True, nogil=True, error_model="numpy")
def along_rows(
    values: np.ndarray,
    tangent: np.ndarray,
    weights: np.ndarray,
    step: float,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Write rows ``[start, stop)``: the weighted mean of values on the line through each pixel.

    The line follows the tangent in steps; a step never turns back, as tangents have no sign.
    """
    height, width = values.shape
    for y in range(start, stop):
        for x in range(width):
            total, weight = weights[0] * values[y, x], weights[0]
            for side in range(2):
                px, py = np.float32(x), np.float32(y)
                dx, dy = tangent[y, x, 0], tangent[y, x, 1]
                if side == 1:
                    dx, dy = -dx, -dy
                for tap in range(1, weights.shape[0]):
                    px += dx * np.float32(step)
                    py += dy * np.float32(step)
                    column, row = int(px + np.float32(0.5)), int(py + np.float32(0.5))
                    if px < 0 or py < 0 or column >= width or row >= height:
                        break
                    total += weights[tap] * _sample(values, px, py)
                    weight += weights[tap]
                    tx, ty = tangent[row, column, 0], tangent[row, column, 1]
                    if tx * dx + ty * dy < 0:
                        tx, ty = -tx, -ty
                    dx, dy = tx, ty
            out[y, x] = total / weight
