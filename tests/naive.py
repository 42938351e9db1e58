"""Plain twins of the synthesis kernels: loops and float64, slow and obvious."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


def padded(image: Array, radius: int) -> Array:
    """(H, W, C) with its edges repeated ``radius`` pixels outwards."""
    return np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode="edge")


def error(
    target: Array,
    style: Array,
    guides: Sequence[tuple[Array, Array, float]],
    at: tuple[int, int],
    match: tuple[int, int],
    patch_size: int,
    *,
    modulation: Array | None = None,
    style_weight: float = 1.0,
) -> float:
    """E without uniformity of the target's pixel ``at`` (x, y) matched with the style's ``match``.

    guides: (source, target, weight). modulation: (H, W, guides), factors on the weights.
    """
    radius = patch_size // 2
    layers = [(padded(target, radius), padded(style, radius), style_weight, None)]
    for index, (source_guide, target_guide, weight) in enumerate(guides):
        factor = None if modulation is None else padded(modulation, radius)[..., index]
        layers.append((padded(target_guide, radius), padded(source_guide, radius), weight, factor))
    (x, y), (u, v) = at, match
    total = 0.0
    for ours, theirs, weight, factor in layers:
        a = ours[y : y + patch_size, x : x + patch_size].astype(np.float64)
        b = theirs[v : v + patch_size, u : u + patch_size].astype(np.float64)
        squares = ((a - b) ** 2).sum(axis=2) * weight / ours.shape[2]
        if factor is not None:
            squares = squares * factor[y : y + patch_size, x : x + patch_size]
        total += float(squares.sum())
    return total


def vote(nnf: Array, style: Array, patch_size: int, weights: Array | None = None) -> Array:
    """(H, W, C) float64: at each pixel the weighted mean of what the patches over it put there.

    nnf: (H, W, 2) positions (x, y) in the style. weights: (H, W), one a patch.
    """
    radius = patch_size // 2
    height, width = nnf.shape[:2]
    around = padded(style, radius).astype(np.float64)
    total = np.zeros((height, width, style.shape[2]))
    whole = np.zeros((height, width, 1))
    for y in range(height):
        for x in range(width):
            u, v = (int(value) for value in nnf[y, x])
            weight = 1.0 if weights is None else float(weights[y, x])
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        pixel = around[v + dy + radius, u + dx + radius]
                        total[y + dy, x + dx] += weight * pixel
                        whole[y + dy, x + dx] += weight
    return total / whole


def usage(nnf: Array, size: tuple[int, int], patch_size: int) -> Array:
    """(H, W) float64: for each source position the mean, over its patch, of each pixel's uses.

    A source pixel is used once for each match whose patch covers it; beyond the edge, never.
    """
    radius = patch_size // 2
    height, width = size
    rim = 2 * radius
    uses = np.zeros((height + 2 * rim, width + 2 * rim))
    for u, v in nnf.reshape(-1, 2):
        top, left = int(v) + rim - radius, int(u) + rim - radius
        uses[top : top + patch_size, left : left + patch_size] += 1
    mean = np.zeros(size)
    for v in range(height):
        for u in range(width):
            top, left = v + rim - radius, u + rim - radius
            mean[v, u] = uses[top : top + patch_size, left : left + patch_size].mean()
    return mean


def pack(image: Array, scale: float, radius: int) -> Array:
    """(H + 2r, W + 2r, C) int16: values cut to 0–255, times ``scale``, rounded, edges repeated."""
    values = np.clip(np.nan_to_num(image.astype(np.float32), nan=0.0), 0, 255)
    return padded(np.rint(values * np.float32(scale)).astype(np.int16), radius)


def propagate_match(cost: Array, nnf: Array, step: int, size: tuple[int, int], band: int) -> Array:
    """One search without random tries, on a table of all costs.

    cost: (H, W, source H, source W), penalties included. nnf: (H, W, 2) (x, y). A pixel tries what
    the pixel before it in its row has, moved one on, then the one before it in its column; that
    one as it was before this search if it lies in another band of rows.
    """
    height, width = nnf.shape[:2]
    before, found = nnf.copy(), nnf.copy()
    for top in range(0, height, band):
        rows = range(top, min(top + band, height))
        for y in rows if step > 0 else reversed(rows):
            columns = range(width) if step > 0 else range(width - 1, -1, -1)
            for x in columns:
                tries = []
                if 0 <= x - step < width:
                    u, v = found[y, x - step]
                    tries.append((u + step, v))
                if 0 <= y - step < height:
                    u, v = (found if y - step in rows else before)[y - step, x]
                    tries.append((u, v + step))
                for u, v in tries:
                    inside = 0 <= v < size[0] and 0 <= u < size[1]
                    own_u, own_v = found[y, x]
                    if inside and cost[y, x, v, u] < cost[y, x, own_v, own_u]:
                        found[y, x] = u, v
    return found


def mix(bands: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Bands (N, H, W, C) mixed by weights (N, H, W), and the energies before and after, (H, W)."""
    bands, shares = bands.astype(np.float64), weights.astype(np.float64)[..., None]
    mixed = (shares * bands).sum(axis=0)
    wanted = (shares * bands**2).sum(axis=0).mean(axis=2)
    return mixed, wanted, (mixed**2).mean(axis=2)


def raise_contrast(image: Array, mixed: Array, wanted: Array, have: Array, most: float) -> Array:
    """``image`` plus ``mixed``, whose root mean square goes from ``have`` towards ``wanted``."""
    ratio = (wanted.astype(np.float64) + 0.5) / (have.astype(np.float64) + 0.5)
    return image + np.clip(np.sqrt(ratio), 1, most)[..., None] * mixed
