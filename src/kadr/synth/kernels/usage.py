"""How often source patches are used, and the penalty for using them again (Kaspar et al. 2015).

A source pixel's usage is the number of patches that cover it; a match's is the mean over its
patch. Both sums over a patch are boxes, so together they are one tent over the histogram of
matches, ``patch_size`` high, and everything stays in whole numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEVER = (1 << 31) - 1
"""The penalty of a position that is no match: above any cost, which is under 2³⁰ + 2²⁹."""

_MOST = 1 << 29


@njit(nogil=True, cache=True, error_model="numpy")
def count_matches(nnf: np.ndarray, hits: np.ndarray) -> None:
    """Add each match of ``nnf`` to ``hits``, one count a source position."""
    for i in range(nnf.size):
        hits[np.uintp(nnf[np.uintp(i)])] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def move_matches(before: np.ndarray, nnf: np.ndarray, active: np.ndarray, hits: np.ndarray) -> None:
    """Bring ``hits`` from ``before`` to ``nnf``, which differ only where ``active`` is set."""
    for i in range(nnf.size):
        here = np.uintp(i)
        if active[here] and before[here] != nnf[here]:
            hits[np.uintp(before[here])] -= 1
            hits[np.uintp(nnf[here])] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def penalty_rows(
    # input arrays
    hits: np.ndarray,
    valid: np.ndarray,
    # output array
    penalty: np.ndarray,
    # plain numbers
    stride: int,
    patch_size: int,
    scale: float,
    slowness: int,
    start: int,
    stop: int,
) -> None:
    """Bring penalties nearer to ``scale`` times usage on rows ``[start, stop)``; NEVER if invalid.

    hits: (rows · stride,) int32. valid, penalty: of the same size, bool and int32. The step is
    1/2^slowness of the way: all pixels of an iteration see the same counts, and if they saw them
    at once they would all rush to what was unused, and away again the next time.
    """
    rows = hits.size // stride
    reach = patch_size - 1
    down = np.zeros(stride + 2 * reach, np.int32)
    across = np.empty(stride, np.int32)
    factor, most = np.float32(scale), np.float32(_MOST)
    for y in range(start, stop):
        down[:] = 0
        for k in range(max(-reach, -y), min(reach, rows - 1 - y) + 1):
            weight = np.int32(patch_size - abs(k))
            row = (y + k) * stride
            for x in range(stride):
                down[np.uintp(x + reach)] += weight * hits[np.uintp(row + x)]
        across[:] = 0
        for k in range(2 * reach + 1):
            weight = np.int32(patch_size - abs(k - reach))
            for x in range(stride):
                across[np.uintp(x)] += weight * down[np.uintp(x + k)]
        row = y * stride
        for x in range(stride):
            here = np.uintp(row + x)
            cost = np.int32(min(np.float32(across[np.uintp(x)]) * factor, most))
            if not valid[here]:
                penalty[here] = np.int32(NEVER)
            elif slowness:
                penalty[here] += (cost - penalty[here]) >> np.int32(slowness)
            else:
                penalty[here] = cost
