"""Interleave images into one packed int16 image, scaled and edge-padded, over a band of rows."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def pack_rows(
    image: np.ndarray,
    needed: np.ndarray | None,
    packed: np.ndarray,
    first: int,
    scale: float,
    top: int,
    radius: int,
    start: int,
    stop: int,
) -> None:
    """Write ``round(image · scale)`` into channels ``first…`` of ``packed`` rows ``[start, stop)``.

    image: (H, W, C) uint8 or float32, clipped to 0–255 (NaN is 0). packed: int16,
    with room for (H + 2·radius, W + 2·radius, C) at row ``top``; rows count from there. needed:
    which of these pixels to write, or None for all.
    """
    height, width, count = image.shape
    factor = np.float32(scale)
    rows = image.reshape(height, width * count)
    scaled = np.empty(width * count, np.int16)
    for y in range(start, stop):
        left, right = 0, width + 2 * radius
        if needed is not None:
            left, right = _ends(needed[y])
        if left == right:
            continue
        source = rows[min(max(y - radius, 0), height - 1)]
        for index in range(source.size):  # a loop of its own, of which the compiler makes vectors
            i = np.uintp(index)
            value = np.float32(source[i])
            value = value if value > np.float32(0) else np.float32(0)
            scaled[i] = np.int16(np.rint(min(value, np.float32(255)) * factor))
        target = packed[top + y]
        for x in range(left, right):
            if needed is not None and not needed[y, x]:
                continue
            source_x = min(max(x - radius, 0), width - 1)
            for c in range(count):
                target[x, first + c] = scaled[np.uintp(source_x * count + c)]


@njit(inline="always")
def _ends(needed: np.ndarray) -> tuple[int, int]:
    """The first pixel of a row that is needed, and the one after the last."""
    left, right = 0, needed.size
    while left < right and not needed[left]:
        left += 1
    while right > left and not needed[right - 1]:
        right -= 1
    return left, right


@njit(nogil=True, cache=True, error_model="numpy")
def lane_rows(
    style: np.ndarray, lanes: np.ndarray, top: int, radius: int, start: int, stop: int
) -> None:
    """Write ``style`` (H, W, colors) uint8, edge-padded, into rows ``[start, stop)`` from ``top``.

    lanes: uint64, colour c of a pixel in bits 16·(c mod 4)… of its word c // 4.
    """
    height, width, count = style.shape
    for y in range(start, stop):
        source_y = min(max(y - radius, 0), height - 1)
        for x in range(width + 2 * radius):
            source_x = min(max(x - radius, 0), width - 1)
            for word in range((count + 3) // 4):
                value = np.uint64(0)
                for c in range(4 * word, min(4 * word + 4, count)):
                    color = np.uint64(style[source_y, source_x, c])
                    value |= color << np.uint64(16 * (c - 4 * word))
                lanes[top + y, x, word] = value


@njit(nogil=True, cache=True, error_model="numpy")
def pad_edges(packed: np.ndarray, count: int, radius: int) -> None:
    """Repeat the edge of channels ``[0, count)`` of ``packed`` (H, W, C) into its padding."""
    height, width, _ = packed.shape
    for y in range(height):
        inner = min(max(y, radius), height - 1 - radius)
        step = 1 if inner != y else width - 2 * radius + 1  # from the left margin to the right one
        x = 0
        while x < width:
            inner_x = min(max(x, radius), width - 1 - radius)
            for c in range(count):
                packed[y, x, c] = packed[inner, inner_x, c]
            x += step if x == radius - 1 else 1


@njit(nogil=True, cache=True, error_model="numpy")
def modulation_rows(
    modulation: np.ndarray,
    needed: np.ndarray | None,
    roots: np.ndarray,
    channels: np.ndarray,
    packed: np.ndarray,
    radius: int,
    start: int,
    stop: int,
) -> None:
    """Write √modulation − 1 in Q15 into ``packed`` rows ``[start, stop)``, edge-padded.

    modulation: (H, W, guides) uint8. roots: (256,) int16, what to write for each value; 0 for 255.
    channels: (guides, 2), the first packed channel of each guide and the one after its last.
    packed: zero, and so it stays where pixels are not needed.
    """
    height, width, count = modulation.shape
    stride, step = packed.shape[1], packed.shape[2]
    for y in range(start, stop):
        row = modulation[min(max(y - radius, 0), height - 1)].reshape(-1)
        target = packed[y].reshape(-1)
        for g in range(count):
            first, last = channels[g, 0], channels[g, 1]
            for x in range(stride):
                value = row[np.uintp(min(max(x - radius, 0), width - 1) * count + g)]
                if value == 255 or (needed is not None and not needed[y, x]):
                    continue
                root = roots[np.uintp(value)]
                for c in range(first, last):
                    target[np.uintp(x * step + c)] = root
