"""One PatchMatch iteration over a band of rows: neighbours' matches first, then random ones.

A match is one int32: the flat index, in the padded source, of the top-left pixel of its patch.
Neighbours and random offsets are then one addition, and one look-up in ``penalty`` answers both
how over-used a match is and whether it exists at all (padding and masked pixels cost NEVER).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kadr.synth.kernels.patch import patch_ssd
from kadr.synth.kernels.usage import NEVER


@njit(inline="always")
def _mix(value: int) -> int:
    value = np.uint32(value)
    value = np.uint32((value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D))
    value = np.uint32((value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(value ^ (value >> np.uint32(16)))


@njit(inline="always")
def _next(state: int) -> int:
    state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ np.uint32(state << np.uint32(5)))


@njit(inline="always")
def _jump(state: int, reach: int, stride: int) -> int:
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
    before: np.ndarray,
    # input and output arrays
    nnf: np.ndarray,
    ssd: np.ndarray,
    # plain numbers
    layout: tuple[int, int, int],
    start: int,
    stop: int,
    step: int,
    limits: tuple[int, int, int, int],
    fresh: bool,
    seed: int,
    channels: tuple[None, ...],
    patch: tuple[None, ...],
) -> None:
    """Improve ``nnf`` and ``ssd`` in place on rows ``[start, stop)``.

    ``before`` is the nnf as it was: neighbours outside the band are read from it, so that bands do
    not depend on each other. ``layout``: the target's width, its stride, the source's stride.
    ``step`` is 1 or −1, the direction of the scan. ``limits``: how wide random search starts, to
    narrow by half a try, and the cost up to which a pixel has none; how wide it starts for a pixel
    that is lost, and the cost above which one is.
    ``fresh``: the target has changed since ``ssd`` was written, measure again.
    """
    # Numba 0.68 loses 400 bytes at every call of a function that takes more than 17 arguments
    width, target_stride, source_stride = layout
    radius, enough, wide, lost = limits
    count = len(channels)
    height = nnf.size // width
    last = np.uintp(penalty.size)
    never = np.int32(NEVER)
    across, down = target_stride * count, source_stride * count
    for i in range(stop - start):
        y = start + i if step > 0 else stop - 1 - i
        state = _mix(np.uint32(seed) + np.uint32(y) * np.uint32(0x9E3779B9)) | np.uint32(1)
        above = y - step
        has_above = 0 <= above < height
        above_inside = start <= above < stop
        for j in range(width):
            x = j if step > 0 else width - 1 - j
            here = np.uintp(y * width + x)
            if not active[here]:
                continue
            t = (y * target_stride + x) * count
            best = np.intp(nnf[here])
            best_ssd = ssd[here]
            if fresh:
                best_ssd = patch_ssd(
                    target, t, across, source, best * count, down,
                    modulation, 1 << 30, channels, patch,
                )  # fmt: skip
            cost = best_ssd + penalty[np.uintp(best)]
            tried = best
            for k in range(2):
                if k == 0:
                    if not 0 <= x - step < width:
                        continue
                    candidate = np.intp(nnf[np.uintp(y * width + x - step)]) + step
                    tried = candidate
                else:
                    if not has_above:
                        continue
                    there = np.uintp(above * width + x)
                    value = nnf[there] if above_inside else before[there]
                    candidate = np.intp(value) + step * source_stride
                    if candidate == tried:
                        continue
                if candidate == best or np.uintp(candidate) >= last:
                    continue
                extra = penalty[np.uintp(candidate)]
                if extra >= cost:
                    continue
                found = patch_ssd(
                    target, t, across, source, candidate * count, down,
                    modulation, cost - extra, channels, patch,
                )  # fmt: skip
                if found + extra < cost:
                    best, best_ssd, cost = candidate, found, found + extra
            center = best  # every try is around it, and none branches: tries then overlap in time
            reach = radius if cost > enough else 0
            reach = wide if cost > lost else reach
            while reach >= 1:
                state = _next(state)
                candidate = center + _jump(state, reach, source_stride)
                reach >>= 1
                candidate = candidate if np.uintp(candidate) < last else center
                extra = penalty[np.uintp(candidate)]
                candidate = candidate if extra < never else center
                found = patch_ssd(
                    target, t, across, source, candidate * count, down,
                    modulation, 1 << 30, channels, patch,
                )  # fmt: skip
                better = np.int64(found) + np.int64(extra) < np.int64(cost)
                best = candidate if better else best
                best_ssd = found if better else best_ssd
                cost = found + extra if better else cost
            nnf[here] = best
            ssd[here] = best_ssd
