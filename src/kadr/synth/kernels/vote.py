"""Rebuild a band of rows from overlapping matches, and mark what changed."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def vote_rows(
    # input arrays
    nnf: np.ndarray,
    ssd: np.ndarray,
    style: np.ndarray,
    scales: np.ndarray,
    reach: np.ndarray,
    # output arrays
    target: np.ndarray,
    image: np.ndarray,
    changed: np.ndarray,
    # plain numbers
    width: int,
    target_stride: int,
    source_stride: int,
    start: int,
    stop: int,
    threshold: float,
    softness: float,
    channels: tuple[None, ...],
    patch: tuple[None, ...],
    colors: tuple[None, ...],
) -> None:
    """Write the mean of all patches that cover a pixel, where ``reach`` is set.

    ``style`` is the padded source style, flat, ``len(colors)`` uint8 values a pixel. The vote goes
    into ``image`` (flat uint8) and, times ``scales``, into the packed ``target``. ``changed`` is set
    where a channel moved by at least ``threshold`` levels. ``softness`` > 0 weighs each patch by
    1 / (1 + softness · ssd); 0 is the plain mean.
    """
    count = len(channels)
    color_count = len(colors)
    radius = len(patch) // 2
    height = nnf.size // width
    total = np.empty(color_count, np.float32)
    for y in range(start, stop):
        for x in range(width):
            here = np.uintp(y * width + x)
            changed[here] = False
            if not reach[here]:
                continue
            for c in range(color_count):
                total[np.uintp(c)] = np.float32(0.0)
            weights = np.float32(0.0)
            for dy in range(max(-radius, -y), min(radius, height - 1 - y) + 1):
                row = (y + dy) * width + x
                shift = (radius - dy) * source_stride + radius
                for dx in range(max(-radius, -x), min(radius, width - 1 - x) + 1):
                    there = np.uintp(row + dx)
                    pixel = np.uintp((np.intp(nnf[there]) + shift - dx) * color_count)
                    weight = np.float32(1.0)
                    if softness > 0.0:
                        weight = np.float32(1.0 / (1.0 + softness * ssd[there]))
                    weights += weight
                    for c in range(color_count):
                        total[np.uintp(c)] += weight * np.float32(style[pixel + np.uintp(c)])
            moved = False
            t = ((y + radius) * target_stride + x + radius) * count
            for c in range(color_count):
                value = total[np.uintp(c)] / weights
                packed = np.int16(np.rint(value * scales[np.uintp(c)]))
                old = target[np.uintp(t + c)]
                if abs(np.int32(packed) - np.int32(old)) >= threshold * scales[np.uintp(c)]:
                    moved = True
                target[np.uintp(t + c)] = packed
                image[here * np.uintp(color_count) + np.uintp(c)] = np.uint8(value + 0.5)
            changed[here] = moved
