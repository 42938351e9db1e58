"""How often source patches are used, and the penalty for using them again (Kaspar et al. 2015).

A source pixel's usage is the number of patches that cover it; a match's is the mean over its
patch. Both sums over a patch are box filters; together they are one tent filter over the histogram
of matches, with a peak of ``patch_size``, and all numbers stay integers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEVER = (1 << 31) - 1
"""The penalty of a position that is not valid: above any cost, which is under 2³⁰ + 2²⁹."""

_MAX_PENALTY = 1 << 29


@njit(nogil=True, cache=True, error_model="numpy")
def count_matches(nnf: np.ndarray, match_counts: np.ndarray) -> None:
    """Add each match of ``nnf`` to ``match_counts``, one count for each source position."""
    for i in range(nnf.size):
        match_counts[np.uintp(nnf[np.uintp(i)])] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def move_matches(
    previous_nnf: np.ndarray, nnf: np.ndarray, active: np.ndarray, match_counts: np.ndarray
) -> None:
    """Update counts from ``previous_nnf`` to ``nnf``, which differ only where ``active`` is set."""
    for i in range(nnf.size):
        pixel = np.uintp(i)
        if active[pixel] and previous_nnf[pixel] != nnf[pixel]:
            match_counts[np.uintp(previous_nnf[pixel])] -= 1
            match_counts[np.uintp(nnf[pixel])] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def penalty_rows(
    # input arrays
    match_counts: np.ndarray,
    valid: np.ndarray,
    # output array
    penalty: np.ndarray,
    # plain numbers
    stride: int,
    patch_size: int,
    scale: float,
    shift: int,
    start: int,
    stop: int,
) -> None:
    """Bring penalties nearer to ``scale`` times usage on rows ``[start, stop)``; NEVER if invalid.

    hits: (rows · stride,) int32. valid, penalty: of the same size, bool and int32. The step is
    1/2^shift of the way. All pixels of an iteration see the same counts; with a full step they
    would all move to unused patches at once, and away again in the next iteration.
    """
    rows = match_counts.size // stride
    reach = patch_size - 1
    down = np.zeros(stride + 2 * reach, np.int32)
    across = np.empty(stride, np.int32)
    factor, max_penalty = np.float32(scale), np.float32(_MAX_PENALTY)
    for y in range(start, stop):
        down[:] = 0
        for k in range(max(-reach, -y), min(reach, rows - 1 - y) + 1):
            weight = np.int32(patch_size - abs(k))
            row = (y + k) * stride
            for x in range(stride):
                down[np.uintp(x + reach)] += weight * match_counts[np.uintp(row + x)]
        across[:] = 0
        for k in range(2 * reach + 1):
            weight = np.int32(patch_size - abs(k - reach))
            for x in range(stride):
                across[np.uintp(x)] += weight * down[np.uintp(x + k)]
        row = y * stride
        for x in range(stride):
            pixel = np.uintp(row + x)
            cost = np.int32(min(np.float32(across[np.uintp(x)]) * factor, max_penalty))
            if not valid[pixel]:
                penalty[pixel] = np.int32(NEVER)
            elif shift:
                penalty[pixel] += (cost - penalty[pixel]) >> np.int32(shift)
            else:
                penalty[pixel] = cost
