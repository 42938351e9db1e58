"""Rebuild a band of rows from overlapping matches, and mark the pixels that changed.

A style pixel is one or two 64-bit words of four 16-bit lanes, one colour each, so that one addition
adds four colours. The sum of a patch of votes fits a lane: 15 · 15 · 255 < 65536. Weighted votes
use two 32-bit lanes and 15-bit weights. All sums are integers, so the order of votes is irrelevant.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_LOW = 0x0000FFFF0000FFFF  # every other 16-bit lane
_FULL = 32767.0  # the weight of a perfect match


@njit(nogil=True, cache=True, error_model="numpy")
def weight_rows(
    ssd: np.ndarray, softness: float, weights: np.ndarray, start: int, stop: int
) -> None:
    """Write the weight of each vote, 1 / (1 + softness · ssd) in Q15, at least 1."""
    for i in range(start, stop):
        pixel = np.uintp(i)
        vote = np.float32(_FULL) / (np.float32(1.0) + np.float32(softness) * np.float32(ssd[pixel]))
        weights[pixel] = max(np.uint16(vote + np.float32(0.5)), np.uint16(1))


@njit(inline="always")
def _add_votes(
    nnf: np.ndarray,
    weights: np.ndarray | None,
    style: np.ndarray,
    word: int,
    words: int,
    shape: tuple[int, int, int],
    y: int,
    x: int,
    patch: tuple[None, ...],
) -> tuple[int, int, int]:
    """Lanes 0 and 2, lanes 1 and 3, and the weight, summed over the patches that cover (y, x)."""
    height, width, stride = shape
    side = len(patch)
    radius = side // 2
    even, odd, weight_sum = np.uint64(0), np.uint64(0), np.int64(0)
    inside = radius <= y < height - radius and radius <= x < width - radius
    for i in range(side):
        dy = i - radius
        row = (y + dy) * width + x
        shift = (radius - dy) * stride + radius
        for j in range(side):
            dx = j - radius
            if inside or (0 <= y + dy < height and 0 <= x + dx < width):
                neighbour = np.uintp(row + dx)
                style_index = np.uintp((np.intp(nnf[neighbour]) + shift - dx) * words + word)
                lanes = style[style_index]
                if weights is None:
                    even += lanes
                    weight_sum += 1
                else:
                    weight = np.uint64(weights[neighbour])
                    even += (lanes & np.uint64(_LOW)) * weight
                    odd += ((lanes >> np.uint64(16)) & np.uint64(_LOW)) * weight
                    weight_sum += np.int64(weight)
    if weights is None:
        odd = (even >> np.uint64(16)) & np.uint64(_LOW)
        even = even & np.uint64(_LOW)
    return even, odd, weight_sum


@njit(nogil=True, cache=True, error_model="numpy")
def vote_rows(
    # input arrays
    nnf: np.ndarray,
    weights: np.ndarray | None,
    style: np.ndarray,
    scales: np.ndarray,
    covered: np.ndarray,
    # output arrays
    target: np.ndarray,
    image: np.ndarray,
    changed: np.ndarray,
    # plain numbers
    width: int,
    target_stride: int,
    source_stride: int,
    channels: int,
    start: int,
    stop: int,
    threshold: float,
    patch: tuple[None, ...],
    colors: tuple[None, ...],
) -> None:
    """Write the mean of all patches that cover a pixel, where ``covered`` is set.

    ``style`` is the padded source style in lanes, flat uint64, one word for every four colours.
    ``weights`` (uint16, shape of nnf) are the weights of the patches; None: plain mean. The vote
    goes into ``image`` (flat uint8) and, times ``scales``, into the packed ``target``. ``changed``
    is set where a channel changed by at least ``threshold`` levels. ``channels`` of ``target`` is a
    number and no tuple: it is used for positions only, and each tuple is another compilation.
    """
    color_count = len(colors)
    words = (color_count + 3) // 4
    radius = len(patch) // 2
    shape = (nnf.size // width, width, source_stride)
    for y in range(start, stop):
        for x in range(width):
            pixel = np.uintp(y * width + x)
            changed[pixel] = False
            if not covered[pixel]:
                continue
            has_changed = False
            t = ((y + radius) * target_stride + x + radius) * channels
            for word in range(words):
                even, odd, weight_sum = _add_votes(
                    nnf, weights, style, word, words, shape, y, x, patch
                )
                share = np.float32(1.0) / np.float32(weight_sum)
                for c in range(4 * word, min(4 * word + 4, color_count)):
                    lanes = odd if c & 1 else even
                    total = (lanes >> np.uint64(16 * (c & 2))) & np.uint64(0xFFFFFFFF)
                    value = np.float32(total) * share
                    packed = np.int16(np.rint(value * scales[np.uintp(c)]))
                    previous = target[np.uintp(t + c)]
                    limit = np.float32(threshold) * scales[np.uintp(c)]
                    has_changed = (
                        has_changed
                        or np.float32(abs(np.int32(packed) - np.int32(previous))) >= limit
                    )
                    target[np.uintp(t + c)] = packed
                    image[pixel * np.uintp(color_count) + np.uintp(c)] = np.uint8(
                        value + np.float32(0.5)
                    )
            changed[pixel] = has_changed
