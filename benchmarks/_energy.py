"""Measure how good a synthesized image is, given its style and guides.

Images of any program can be measured: only the image is needed. The search is independent and
shares no code with the engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_RADIUS = 2
_PASSES = 8


def energy(
    image: Image, style: Image, guides: Sequence[tuple[Image, Image, float]], seed: int = 7
) -> float:
    """Mean cost of the best match in the style for each 5×5 patch of the image.

    guides: (source, target, weight), a weight divided by the channels of the guide, as the weight
    of the style is by its colours. The cost is the weighted sum of squared differences of 8-bit
    values.
    """
    source = _stack([(style, 1.0), *((source, weight) for source, _, weight in guides)])
    target = _stack([(image, 1.0), *((target, weight) for _, target, weight in guides)])
    size = target.shape[0] - 2 * _RADIUS, target.shape[1] - 2 * _RADIUS
    limits = source.shape[0] - 2 * _RADIUS, source.shape[1] - 2 * _RADIUS
    match = _same_place(size, limits)
    best = _cost_of(target, source, match)
    for number in range(_PASSES):
        previous_match, previous_cost = match.copy(), best.copy()
        _improve(target, source, previous_match, previous_cost, match, best, seed + number)
    return float(best.mean())


def texture_distance(image: Image, style: Image, seed: int = 7) -> float:
    """Distance of the patch distributions of two images, in 8-bit levels; 0 is equal.

    Mean distance between the quantiles of 5×5 patches projected on random directions (sliced
    Wasserstein), over three scales.
    """
    distances = []
    for scale in (1, 2, 4):
        projections = np.random.default_rng(seed).normal(size=(32, 5, 5, style.shape[2]))
        projections -= projections.mean(axis=(1, 2), keepdims=True)  # texture, not mean colour
        projections /= np.sqrt((projections**2).sum(axis=(1, 2, 3), keepdims=True))
        pair = [_shrink(image, scale) for image in (image, style)]
        for projection in projections:
            levels = [_quantiles(image, projection) for image in pair]
            distances.append(np.abs(levels[0] - levels[1]).mean())
    return float(np.mean(distances))


def _shrink(image: Image, scale: int) -> NDArray[np.float32]:
    size = image.shape[1] // scale, image.shape[0] // scale
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _quantiles(image: NDArray[np.float32], projection: NDArray[np.float64]) -> NDArray[np.float64]:
    response = sum(
        cv2.filter2D(image[..., c], cv2.CV_32F, projection[..., c]) for c in range(image.shape[2])
    )
    return np.quantile(np.asarray(response), np.linspace(0.0, 1.0, 65))


def _stack(images: Sequence[tuple[Image, float]]) -> NDArray[np.float32]:
    """Images side by side in their channels, scaled by the roots of their weights, edge-padded."""
    parts = []
    for image, weight in images:
        level = image.reshape(*image.shape[:2], -1).astype(np.float32)
        parts.append(level * np.float32(np.sqrt(weight / level.shape[2])))
    pad = ((_RADIUS, _RADIUS), (_RADIUS, _RADIUS), (0, 0))
    return np.ascontiguousarray(np.pad(np.concatenate(parts, axis=2), pad, mode="edge"))


def _same_place(size: tuple[int, int], limits: tuple[int, int]) -> NDArray[np.int32]:
    y, x = np.mgrid[: size[0], : size[1]]
    position = [y * limits[0] // size[0], x * limits[1] // size[1]]
    return np.ascontiguousarray(np.stack(position, axis=-1).astype(np.int32))


@njit(cache=True)
def _cost(
    target: np.ndarray, source: np.ndarray, y: int, x: int, v: int, u: int, limit: float
) -> float:
    total = np.float32(0.0)
    for dy in range(2 * _RADIUS + 1):
        for dx in range(2 * _RADIUS + 1):
            for c in range(target.shape[2]):
                difference = target[y + dy, x + dx, c] - source[v + dy, u + dx, c]
                total += difference * difference
        if total >= limit:
            break
    return total


@njit(cache=True)
def _random(state: int) -> int:
    """The next random number of a row, 0 to 2³² − 1 (xorshift)."""
    state = (state ^ (state << 13)) & 0xFFFFFFFF
    state ^= state >> 17
    return (state ^ (state << 5)) & 0xFFFFFFFF


@njit(parallel=True, cache=True)
def _cost_of(target: np.ndarray, source: np.ndarray, match: np.ndarray) -> np.ndarray:
    height, width = match.shape[:2]
    best = np.empty((height, width), np.float32)
    for y in prange(height):
        for x in range(width):
            best[y, x] = _cost(target, source, y, x, match[y, x, 0], match[y, x, 1], np.inf)
    return best


@njit(parallel=True, cache=True)
def _improve(
    target: np.ndarray,
    source: np.ndarray,
    previous_match: np.ndarray,
    previous_cost: np.ndarray,
    match: np.ndarray,
    best: np.ndarray,
    seed: int,
) -> None:
    """Try the matches of pixels at distances 1, 4 and 16, and random positions ever closer."""
    height, width = match.shape[:2]
    rows = source.shape[0] - 2 * _RADIUS
    columns = source.shape[1] - 2 * _RADIUS
    for y in prange(height):
        state = (seed * 65537 + y) * 2654435761 & 0xFFFFFFFF | 1
        for x in range(width):
            v, u, cost = previous_match[y, x, 0], previous_match[y, x, 1], previous_cost[y, x]
            for step in (16, 4, 1):
                for side in range(4):
                    dy = step * ((side == 0) - (side == 1))
                    dx = step * ((side == 2) - (side == 3))
                    if not (0 <= y + dy < height and 0 <= x + dx < width):
                        continue
                    row = min(max(previous_match[y + dy, x + dx, 0] - dy, 0), rows - 1)
                    column = min(max(previous_match[y + dy, x + dx, 1] - dx, 0), columns - 1)
                    candidate_cost = _cost(target, source, y, x, row, column, cost)
                    if candidate_cost < cost:
                        v, u, cost = row, column, candidate_cost
            reach = max(rows, columns)
            while reach >= 1:
                state = _random(state)
                row = min(max(v - reach + state % (2 * reach + 1), 0), rows - 1)
                state = _random(state)
                column = min(max(u - reach + state % (2 * reach + 1), 0), columns - 1)
                candidate_cost = _cost(target, source, y, x, row, column, cost)
                if candidate_cost < cost:
                    v, u, cost = row, column, candidate_cost
                reach //= 2
            match[y, x, 0], match[y, x, 1], best[y, x] = v, u, cost
