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
def gain_rows(
    before: np.ndarray, after: np.ndarray, gain: np.ndarray, start: int, stop: int
) -> None:
    """Write how far a correction lowers the error by more than noise, 0–1."""
    for y in range(start, stop):
        for x in range(gain.shape[1]):
            lowered = before[y, x] - after[y, x] - np.float32(0.3)
            share = np.float32(2) * lowered / (before[y, x] + np.float32(0.5))
            gain[y, x] = min(max(share, np.float32(0)), np.float32(1))


@njit(inline="always")
def _stretch(ax: float, ay: float, bx: float, by: float) -> float:
    """The larger of stretch and compression of a 2×2 Jacobian: its singular values."""
    square = ax * ax + ay * ay + bx * bx + by * by
    det = ax * by - ay * bx
    root = np.sqrt(max(square * square - np.float32(4) * det * det, np.float32(0)))
    large = np.sqrt((square + root) * np.float32(0.5))
    small = np.sqrt(max((square - root) * np.float32(0.5), np.float32(0)))
    larger = max(large, np.float32(1) / max(small, np.float32(1e-3)))
    return larger if det > np.float32(0) else np.float32(1e3)


@njit(nogil=True, cache=True, error_model="numpy")
def stretch_rows(transport: np.ndarray, factor: np.ndarray, start: int, stop: int) -> None:
    """Write the larger of stretch and compression, from differences over seven pixels."""
    height, width, _ = transport.shape
    rows = transport.reshape(height, 2 * width)
    one = np.uintp(1)
    for y in range(start, stop):
        up, down = max(y - 3, 0), min(y + 3, height - 1)
        tall = np.float32(1) / np.float32(max(down - up, 1))
        row, above, below, output = rows[y], rows[up], rows[down], factor[y]
        for inner in range(2):  # the rest, then the inner pixels, a loop that makes vectors
            first, last = (3, width - 3) if inner else (0, width)
            for index in range(first, last):
                if inner:
                    left, right = 2 * (index - 3), 2 * (index + 3)
                    wide = np.float32(1) / np.float32(6)
                else:
                    if 3 <= index < width - 3:
                        continue
                    left, right = 2 * max(index - 3, 0), 2 * min(index + 3, width - 1)
                    wide = np.float32(2) / np.float32(max(right - left, 1))
                i, j, k = np.uintp(left), np.uintp(right), np.uintp(2 * index)
                output[np.uintp(index)] = _stretch(
                    (row[j] - row[i]) * wide,
                    (row[j + one] - row[i + one]) * wide,
                    (below[k] - above[k]) * tall,
                    (below[k + one] - above[k + one]) * tall,
                )


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

    a, b: (H, W, C) uint8. Windows of radius 4 at most, clipped at the edges. Sums and variances are
    integers, so that the result does not depend on the row at which a band starts; loops run over
    flat rows, so that the compiler makes vectors of them.
    """
    height, width, channels = a.shape
    length, pad = width * channels, radius * channels
    rows_a, rows_b = a.reshape(height, length), b.reshape(height, length)
    sums, box = np.zeros((4, length + 2 * pad), np.int32), np.empty((4, length), np.int32)
    columns, quality = np.empty(length, np.int32), np.empty(length, np.float32)
    for i in range(length):
        x = i // channels
        columns[i] = min(x + radius, width - 1) - max(x - radius, 0) + 1
    empty, part = np.zeros(length, np.uint8), np.empty(length + 2 * pad, np.int32)
    for row in range(max(start - radius, 0), min(start + radius, height)):
        _move_sums(rows_a[row], rows_b[row], empty, empty, sums, pad)
    first = max(start - radius, 0)
    for y in range(start, stop):
        enter, leave = y + radius, y - radius - 1
        _move_sums(
            rows_a[enter] if enter < height else empty,
            rows_b[enter] if enter < height else empty,
            rows_a[leave] if leave >= first else empty,
            rows_b[leave] if leave >= first else empty,
            sums,
            pad,
        )
        for k in range(4):
            _sum_columns(sums[k], part, box[k], radius, channels)
        rows = min(y + radius, height - 1) - max(y - radius, 0) + 1
        _box_similarity(box, columns, np.int32(rows), np.float32(noise), np.float32(light), quality)
        for x in range(width):
            total = np.float32(0)
            for c in range(channels):
                total += quality[np.uintp(x * channels + c)]
            value[y, x] = total / np.float32(channels)


@njit(inline="always")
def _move_sums(
    enter_a: np.ndarray,
    enter_b: np.ndarray,
    leave_a: np.ndarray,
    leave_b: np.ndarray,
    sums: np.ndarray,
    pad: int,
) -> None:
    """Add the row that enters the box to the sums of each column, and subtract the one that leaves.

    The sums: of a, b, their squares together, and their product.
    """
    sum_a, sum_b, squares, products = sums[0, pad:], sums[1, pad:], sums[2, pad:], sums[3, pad:]
    for index in range(enter_a.size):
        i = np.uintp(index)
        u, v = np.int32(enter_a[i]), np.int32(enter_b[i])
        s, t = np.int32(leave_a[i]), np.int32(leave_b[i])
        sum_a[i] += u - s
        sum_b[i] += v - t
        squares[i] += u * u + v * v - s * s - t * t
        products[i] += u * v - s * t


@njit(inline="always")
def _sum_columns(
    sums: np.ndarray, part: np.ndarray, box: np.ndarray, radius: int, channels: int
) -> None:
    """Sum 2 · radius + 1 neighbours, of nine three times three."""
    window, size = 2 * radius + 1, box.size
    step = 3 if window % 3 == 0 else 1
    if step == 3:
        near, far = np.uintp(channels), np.uintp(2 * channels)
        for index in range(sums.size - 2 * channels):
            i = np.uintp(index)
            part[i] = sums[i] + sums[i + near] + sums[i + far]
    else:
        part[:] = sums
    for index in range(size):
        box[np.uintp(index)] = part[np.uintp(index)]
    for k in range(step, window, step):
        shift = np.uintp(k * channels)
        for index in range(size):
            box[np.uintp(index)] += part[np.uintp(index) + shift]


@njit(inline="always")
def _box_similarity(
    box: np.ndarray, columns: np.ndarray, rows: int, noise: float, light: float, quality: np.ndarray
) -> None:
    """From the sums over each box; variances are multiplied by the count's square, to be exact."""
    sum_a, sum_b, squares, products = box[0], box[1], box[2], box[3]
    for index in range(quality.size):
        i = np.uintp(index)
        u, v = sum_a[i], sum_b[i]
        count = np.int32(rows * columns[i])
        square = np.float32(count) * np.float32(count)
        # without the conversions Numba computes in 64 bits, in half as large vectors
        variances = np.float32(np.int32(count * squares[i] - u * u - v * v)) + noise * square
        covariance = np.float32(np.int32(count * products[i] - u * v))
        difference = np.float32(np.int32(u - v))
        change = np.float32(1) + difference * difference / (square * light)
        quality[i] = (np.float32(2) * covariance + noise * square) / (variances * change)


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
