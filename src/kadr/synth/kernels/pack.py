"""Interleave images into one packed int16 image, scaled and edge-padded, a band of rows at a time."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def pack_rows(
    image: np.ndarray,
    packed: np.ndarray,
    first: int,
    scale: float,
    radius: int,
    start: int,
    stop: int,
) -> None:
    """Write ``round(image · scale)`` into channels ``first…`` of ``packed`` rows ``[start, stop)``.

    image: (H, W, C) uint8 or float32; packed: (H + 2·radius, W + 2·radius, channels) int16.
    """
    height, width, count = image.shape
    factor = np.float32(scale)
    for y in range(start, stop):
        source_y = min(max(y - radius, 0), height - 1)
        for x in range(packed.shape[1]):
            source_x = min(max(x - radius, 0), width - 1)
            for c in range(count):
                value = np.float32(image[source_y, source_x, c]) * factor
                packed[y, x, first + c] = np.int16(np.rint(value))


@njit(nogil=True, cache=True, error_model="numpy")
def pad_edges(packed: np.ndarray, count: int, radius: int) -> None:
    """Repeat the edge of channels ``[0, count)`` of ``packed`` (H, W, C) into its padding."""
    height, width, _ = packed.shape
    for y in range(height):
        inner = min(max(y, radius), height - 1 - radius)
        whole = inner != y
        for x in range(width):
            if whole or x < radius or x >= width - radius:
                inner_x = min(max(x, radius), width - 1 - radius)
                for c in range(count):
                    packed[y, x, c] = packed[inner, inner_x, c]


@njit(nogil=True, cache=True, error_model="numpy")
def penalty_rows(
    usage: np.ndarray, valid: np.ndarray, penalty: np.ndarray, scale: float, start: int, stop: int
) -> None:
    """Turn mean usage (float32) into integer penalties; positions that are no match cost NEVER."""
    limit = np.float32(1 << 29)
    factor = np.float32(scale)
    for i in range(start, stop):
        if valid[np.uintp(i)]:
            penalty[np.uintp(i)] = np.int32(min(usage[np.uintp(i)] * factor, limit))
        else:
            penalty[np.uintp(i)] = np.int32(1 << 30)


@njit(nogil=True, cache=True, error_model="numpy")
def modulation_rows(
    modulation: np.ndarray,
    guide_of: np.ndarray,
    packed: np.ndarray,
    radius: int,
    start: int,
    stop: int,
) -> None:
    """Write √modulation in Q15 into ``packed`` rows ``[start, stop)``, edge-padded.

    modulation: (H, W, guides) float32 in 0–1. guide_of: for each packed channel its guide, or −1
    for the style and for padding, whose factor is 1.
    """
    height, width, count = modulation.shape
    roots = np.empty(count, np.int16)
    for y in range(start, stop):
        source_y = min(max(y - radius, 0), height - 1)
        for x in range(packed.shape[1]):
            source_x = min(max(x - radius, 0), width - 1)
            for g in range(count):
                value = min(max(modulation[source_y, source_x, g], np.float32(0)), np.float32(1))
                roots[g] = np.int16(np.rint(np.sqrt(value) * np.float32(32767)))
            for c in range(guide_of.size):
                packed[y, x, c] = 32767 if guide_of[c] < 0 else roots[guide_of[c]]
