"""One PatchMatch iteration over a band of rows: matches of neighbours first, then random ones.

A match is one int32: the flat index, in the padded source, of the top-left pixel of its patch.
A neighbour's match or a random offset then needs one addition, and one look-up in ``penalty``
tells both how often a match is used and whether it is valid (padding and masked pixels cost NEVER).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kadr.synth.kernels.patch import patch_ssd
from kadr.synth.kernels.usage import NEVER


@njit(inline="always")
def _hash(value: int) -> int:
    value = np.uint32(value)
    value = np.uint32((value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D))
    value = np.uint32((value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(value ^ (value >> np.uint32(16)))


@njit(inline="always")
def _next_random(state: int) -> int:
    state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ np.uint32(state << np.uint32(5)))


@njit(inline="always")
def _random_offset(state: int, reach: int, stride: int) -> int:
    """A random offset in the square of ±reach, as a difference of flat indices."""
    span = np.uint32(2 * reach + 1)
    dx = np.intp(((state & np.uint32(0xFFFF)) * span) >> np.uint32(16)) - reach
    dy = np.intp(((state >> np.uint32(16)) * span) >> np.uint32(16)) - reach
    return dy * stride + dx


@njit(nogil=True, cache=True, error_model="numpy")
def search_rows(
    # input arrays
    target: np.ndarray,
    source: np.ndarray,
    modulation: np.ndarray | None,
    penalty: np.ndarray,
    active: np.ndarray,
    previous_nnf: np.ndarray,
    # input and output arrays
    nnf: np.ndarray,
    ssd: np.ndarray,
    # plain numbers
    layout: tuple[int, int, int],
    start: int,
    stop: int,
    step: int,
    limits: tuple[int, int, int, int, int],
    remeasure: bool,
    seed: int,
    channels: tuple[None, ...],
    patch: tuple[None, ...],
) -> None:
    """Improve ``nnf`` and ``ssd`` in place on rows ``[start, stop)``.

    ``previous_nnf``: the nnf before this iteration; neighbours outside the band are read from it,
    so that bands do not depend on each other. ``layout``: the target's width, its stride, the
    source's stride. ``step`` is 1 or −1, the direction of the scan. ``limits``: the radius at which
    random search starts (it halves with each try), the costs up to which a pixel has no random
    search, and one of radius 1, the radius for pixels of high cost, and the cost above which that
    radius is used.
    ``remeasure``: the target has changed since ``ssd`` was written, so measure again.
    """
    # Numba 0.68 loses 400 bytes at every call of a function that takes more than 17 arguments
    width, target_stride, source_stride = layout
    radius, low_cost, near_cost, wide_radius, high_cost = limits
    count = len(channels)
    height = nnf.size // width
    match_count = np.uintp(penalty.size)
    never = np.int32(NEVER)
    across, down = target_stride * count, source_stride * count
    for i in range(stop - start):
        y = start + i if step > 0 else stop - 1 - i
        state = _hash(np.uint32(seed) + np.uint32(y) * np.uint32(0x9E3779B9)) | np.uint32(1)
        neighbour_y = y - step
        has_neighbour_row = 0 <= neighbour_y < height
        neighbour_in_band = start <= neighbour_y < stop
        for j in range(width):
            x = j if step > 0 else width - 1 - j
            pixel = np.uintp(y * width + x)
            if not active[pixel]:
                continue
            t = (y * target_stride + x) * count
            best = np.intp(nnf[pixel])
            best_ssd = ssd[pixel]
            if remeasure:
                best_ssd = patch_ssd(
                    target, t, across, source, best * count, down,
                    modulation, 1 << 30, channels, patch,
                )  # fmt: skip
            cost = best_ssd + penalty[np.uintp(best)]
            first_candidate = best
            for k in range(2):
                if k == 0:
                    if not 0 <= x - step < width:
                        continue
                    candidate = np.intp(nnf[np.uintp(y * width + x - step)]) + step
                    first_candidate = candidate
                else:
                    if not has_neighbour_row:
                        continue
                    neighbour = np.uintp(neighbour_y * width + x)
                    value = nnf[neighbour] if neighbour_in_band else previous_nnf[neighbour]
                    candidate = np.intp(value) + step * source_stride
                    if candidate == first_candidate:
                        continue
                if candidate == best or np.uintp(candidate) >= match_count:
                    continue
                candidate_penalty = penalty[np.uintp(candidate)]
                if candidate_penalty >= cost:
                    continue
                candidate_ssd = patch_ssd(
                    target, t, across, source, candidate * count, down,
                    modulation, cost - candidate_penalty, channels, patch,
                )  # fmt: skip
                if candidate_ssd + candidate_penalty < cost:
                    best, best_ssd, cost = (
                        candidate,
                        candidate_ssd,
                        candidate_ssd + candidate_penalty,
                    )
            # all tries are around this and do not branch, so that they overlap in the CPU
            center = best
            reach = radius if cost > near_cost else 1
            reach = reach if cost > low_cost else 0
            reach = wide_radius if cost > high_cost else reach
            while reach >= 1:
                state = _next_random(state)
                candidate = center + _random_offset(state, reach, source_stride)
                reach >>= 1
                candidate = candidate if np.uintp(candidate) < match_count else center
                candidate_penalty = penalty[np.uintp(candidate)]
                candidate = candidate if candidate_penalty < never else center
                candidate_ssd = patch_ssd(
                    target, t, across, source, candidate * count, down,
                    modulation, 1 << 30, channels, patch,
                )  # fmt: skip
                better = np.int64(candidate_ssd) + np.int64(candidate_penalty) < np.int64(cost)
                best = candidate if better else best
                best_ssd = candidate_ssd if better else best_ssd
                cost = candidate_ssd + candidate_penalty if better else cost
            nnf[pixel] = best
            ssd[pixel] = best_ssd
