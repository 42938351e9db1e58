"""Kernels over bands of rows: flow, stretch, similarity, contrast. NumPy and Numba only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(inline="always")
def _bilinear(field: np.ndarray, x: float, y: float, c: int) -> float:
    """Channel ``c`` of (H, W, C) at (x, y), bilinear, edges repeated."""
    height, width, _ = field.shape
    x = min(max(x, np.float32(0)), np.float32(width - 1))
    y = min(max(y, np.float32(0)), np.float32(height - 1))
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    top = field[y0, x0, c] + fx * (field[y0, x1, c] - field[y0, x0, c])
    bottom = field[y1, x0, c] + fx * (field[y1, x1, c] - field[y1, x0, c])
    return top + fy * (bottom - top)


@njit(nogil=True, cache=True, error_model="numpy")
def occlusion_rows(
    flow: np.ndarray,
    reverse: np.ndarray,
    occlusion: np.ndarray,
    relative: float,
    absolute: float,
    start: int,
    stop: int,
) -> None:
    """Mark pixels whose flow there and back does not return to them, or that leave the frame."""
    height, width, _ = flow.shape
    for y in range(start, stop):
        for x in range(width):
            fx, fy = flow[y, x, 0], flow[y, x, 1]
            tx, ty = np.float32(x) + fx, np.float32(y) + fy
            if tx < -0.5 or ty < -0.5 or tx > width - 0.5 or ty > height - 0.5:
                occlusion[y, x] = True
                continue
            rx = _bilinear(reverse, tx, ty, 0)
            ry = _bilinear(reverse, tx, ty, 1)
            mismatch = (fx + rx) ** 2 + (fy + ry) ** 2
            magnitude = fx * fx + fy * fy + rx * rx + ry * ry
            occlusion[y, x] = mismatch > relative * magnitude + absolute


@njit(nogil=True, cache=True, error_model="numpy")
def rejected_rows(
    # input arrays
    flow: np.ndarray,
    smooth: np.ndarray,
    error: np.ndarray,
    smooth_error: np.ndarray,
    # output array
    rejected: np.ndarray,
    # plain numbers
    max_difference: float,
    factor: float,
    max_levels: float,
    start: int,
    stop: int,
) -> None:
    """Write 1 where a smoother flow is another motion or explains the frames worse, else 0."""
    most, times, more = np.float32(max_difference), np.float32(factor), np.float32(max_levels)
    for y in range(start, stop):
        for x in range(flow.shape[1]):
            dx = abs(smooth[y, x, 0] - flow[y, x, 0])
            dy = abs(smooth[y, x, 1] - flow[y, x, 1])
            fits = smooth_error[y, x] <= error[y, x] * times + more
            rejected[y, x] = not (fits and max(dx, dy) < most)


@njit(nogil=True, cache=True, error_model="numpy")
def accept_rows(
    denoised: np.ndarray, smooth: np.ndarray, count: np.ndarray, of: int, start: int, stop: int
) -> None:
    """Mix ``smooth`` into ``denoised``: fully where none of ``of`` pixels around is rejected.

    count: (H, W) uint8, rejected pixels around each; with half of them nothing is mixed in.
    """
    for y in range(start, stop):
        for x in range(denoised.shape[1]):
            share = np.float32(1) - np.float32(2 * count[y, x]) / np.float32(of)
            if share > 0:
                for c in range(2):
                    denoised[y, x, c] += share * (smooth[y, x, c] - denoised[y, x, c])


@njit(nogil=True, cache=True, error_model="numpy")
def still_rows(
    flow: np.ndarray, around: np.ndarray, still: np.ndarray, limit: float, start: int, stop: int
) -> None:
    """Write ``flow``, but zero where ``around``, the motion of the neighbourhood, is small."""
    most = np.float32(limit)
    for y in range(start, stop):
        for x in range(flow.shape[1]):
            is_still = max(abs(around[y, x, 0]), abs(around[y, x, 1])) < most
            for c in range(2):
                still[y, x, c] = np.float32(0) if is_still else flow[y, x, c]


@njit(nogil=True, cache=True, error_model="numpy")
def stretch_rows(transport: np.ndarray, factor: np.ndarray, start: int, stop: int) -> None:
    """Write the larger of stretch and compression, from differences over seven pixels."""
    height, width, _ = transport.shape
    for y in range(start, stop):
        up, down = max(y - 3, 0), min(y + 3, height - 1)
        tall = np.float32(max(down - up, 1))
        for x in range(width):
            left, right = max(x - 3, 0), min(x + 3, width - 1)
            wide = np.float32(max(right - left, 1))
            ax = (transport[y, right, 0] - transport[y, left, 0]) / wide
            ay = (transport[y, right, 1] - transport[y, left, 1]) / wide
            bx = (transport[down, x, 0] - transport[up, x, 0]) / tall
            by = (transport[down, x, 1] - transport[up, x, 1]) / tall
            # singular values of the 2×2 Jacobian from its invariants
            square = ax * ax + ay * ay + bx * bx + by * by
            det = ax * by - ay * bx
            root = np.sqrt(max(square * square - 4 * det * det, np.float32(0)))
            large = np.sqrt((square + root) / 2)
            small = np.sqrt(max((square - root) / 2, np.float32(0)))
            if det > 0:
                factor[y, x] = max(large, 1 / max(small, np.float32(1e-3)))
            else:
                factor[y, x] = 1e3


@njit(nogil=True, cache=True, error_model="numpy")
def similarity_rows(
    a: np.ndarray,
    b: np.ndarray,
    value: np.ndarray,
    radius: int,
    noise: float,
    light: float,
    start: int,
    stop: int,
) -> None:
    """Mean over channels of structure times light, from exact integer sums over a box.

    a, b: (H, W, C) uint8. Windows are clipped at the edges. Sums are integers, so that the result
    does not depend on the row at which a band starts.
    """
    height, width, channels = a.shape
    sums = np.zeros((width, channels, 5), np.int32)
    box = np.zeros((channels, 5), np.int64)
    first = max(start - radius, 0)
    for row in range(first, min(start + radius, height)):
        _add_row(a, b, sums, row, 1)
    for y in range(start, stop):
        if y + radius < height:
            _add_row(a, b, sums, y + radius, 1)
        if y - radius - 1 >= first:
            _add_row(a, b, sums, y - radius - 1, -1)
        rows = min(y + radius, height - 1) - max(y - radius, 0) + 1
        box[:] = 0
        for x in range(min(radius, width)):
            for c in range(channels):
                for k in range(5):
                    box[c, k] += sums[x, c, k]
        for x in range(width):
            enter, leave = x + radius, x - radius - 1
            total = np.float32(0)
            columns = min(enter, width - 1) - max(x - radius, 0) + 1
            scale = np.float32(1) / np.float32(rows * columns)
            for c in range(channels):
                for k in range(5):
                    if enter < width:
                        box[c, k] += sums[enter, c, k]
                    if leave >= 0:
                        box[c, k] -= sums[leave, c, k]
                mean_a, mean_b = box[c, 0] * scale, box[c, 1] * scale
                var = (box[c, 2] + box[c, 3]) * scale - mean_a * mean_a - mean_b * mean_b
                cov = box[c, 4] * scale - mean_a * mean_b
                difference = mean_a - mean_b
                total += (2 * cov + noise) / (var + noise) / (1 + difference * difference / light)
            value[y, x] = total / channels


@njit(inline="always")
def _add_row(a: np.ndarray, b: np.ndarray, sums: np.ndarray, row: int, sign: int) -> None:
    for x in range(a.shape[1]):
        for c in range(a.shape[2]):
            u, v = np.int32(a[row, x, c]), np.int32(b[row, x, c])
            sums[x, c, 0] += sign * u
            sums[x, c, 1] += sign * v
            sums[x, c, 2] += sign * u * u
            sums[x, c, 3] += sign * v * v
            sums[x, c, 4] += sign * u * v


@njit(nogil=True, cache=True, error_model="numpy")
def sharpen_rows(
    image: np.ndarray,
    blurred: np.ndarray,
    contrast: np.ndarray,
    target_contrast: np.ndarray,
    strength: np.ndarray,
    floor: float,
    max_gain: float,
    output: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Amplify ``image - blurred`` from ``contrast`` to ``target_contrast``, by ``strength``.

    image, output: (H, W, C ≥ 3) uint8. blurred: (H, W, 3) uint8. The others: (H, W) float32.
    """
    width = image.shape[1]
    for y in range(start, stop):
        for x in range(width):
            ratio = (target_contrast[y, x] + floor) / (contrast[y, x] + floor)
            if ratio <= 1:
                continue
            excess = (min(np.sqrt(ratio), max_gain) - 1) * strength[y, x]
            for c in range(3):
                color = np.float32(image[y, x, c])
                value = np.rint(color + excess * (color - np.float32(blurred[y, x, c])))
                output[y, x, c] = np.uint8(min(max(value, 0.0), 255.0))
