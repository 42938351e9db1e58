"""Plain twins of the kernels: loops and float64, slow and obvious."""

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
    pixel: tuple[int, int],
    match: tuple[int, int],
    patch_size: int,
    *,
    modulation: Array | None = None,
    style_weight: float = 1.0,
) -> float:
    """E without uniformity of the target's ``pixel`` (x, y) matched with the style's ``match``.

    guides: (source, target, weight). modulation: (H, W, guides), factors on the weights.
    """
    radius = patch_size // 2
    layers = [(padded(target, radius), padded(style, radius), style_weight, None)]
    for index, (source_guide, target_guide, weight) in enumerate(guides):
        factor = None if modulation is None else padded(modulation, radius)[..., index]
        layers.append((padded(target_guide, radius), padded(source_guide, radius), weight, factor))
    (x, y), (u, v) = pixel, match
    total = 0.0
    for target_layer, source_layer, weight, factor in layers:
        a = target_layer[y : y + patch_size, x : x + patch_size].astype(np.float64)
        b = source_layer[v : v + patch_size, u : u + patch_size].astype(np.float64)
        squares = ((a - b) ** 2).sum(axis=2) * weight / target_layer.shape[2]
        if factor is not None:
            squares = squares * factor[y : y + patch_size, x : x + patch_size]
        total += float(squares.sum())
    return total


def vote(nnf: Array, style: Array, patch_size: int, weights: Array | None = None) -> Array:
    """(H, W, C) float64: at each pixel the weighted mean of the patches that cover it.

    nnf: (H, W, 2) positions (x, y) in the style. weights: (H, W), one for each patch.
    """
    radius = patch_size // 2
    height, width = nnf.shape[:2]
    padded_style = padded(style, radius).astype(np.float64)
    total = np.zeros((height, width, style.shape[2]))
    weight_sum = np.zeros((height, width, 1))
    for y in range(height):
        for x in range(width):
            u, v = (int(value) for value in nnf[y, x])
            weight = 1.0 if weights is None else float(weights[y, x])
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        pixel = padded_style[v + dy + radius, u + dx + radius]
                        total[y + dy, x + dx] += weight * pixel
                        weight_sum[y + dy, x + dx] += weight
    return total / weight_sum


def usage(nnf: Array, size: tuple[int, int], patch_size: int) -> Array:
    """(H, W) float64: for each source position the mean, over its patch, of each pixel's uses.

    A source pixel is used once for each match whose patch covers it; outside the image, never.
    """
    radius = patch_size // 2
    height, width = size
    margin = 2 * radius
    uses = np.zeros((height + 2 * margin, width + 2 * margin))
    for u, v in nnf.reshape(-1, 2):
        top, left = int(v) + margin - radius, int(u) + margin - radius
        uses[top : top + patch_size, left : left + patch_size] += 1
    mean = np.zeros(size)
    for v in range(height):
        for u in range(width):
            top, left = v + margin - radius, u + margin - radius
            mean[v, u] = uses[top : top + patch_size, left : left + patch_size].mean()
    return mean


def pack(image: Array, scale: float, radius: int) -> Array:
    """(H + 2r, W + 2r, C) int16: values clipped to 0–255, times ``scale``, rounded, edge-padded."""
    values = np.clip(np.nan_to_num(image.astype(np.float32), nan=0.0), 0, 255)
    return padded(np.rint(values * np.float32(scale)).astype(np.int16), radius)


def propagate_match(cost: Array, nnf: Array, step: int, size: tuple[int, int], band: int) -> Array:
    """One search without random tries, on a table of all costs.

    cost: (H, W, source H, source W), penalties included. nnf: (H, W, 2) (x, y). A pixel tries the
    match of the previous pixel in its row, shifted by one, then of the previous pixel in its
    column; for a pixel in another band of rows it uses the match before this search.
    """
    height, width = nnf.shape[:2]
    previous, current = nnf.copy(), nnf.copy()
    for top in range(0, height, band):
        rows = range(top, min(top + band, height))
        for y in rows if step > 0 else reversed(rows):
            columns = range(width) if step > 0 else range(width - 1, -1, -1)
            for x in columns:
                candidates = []
                if 0 <= x - step < width:
                    u, v = current[y, x - step]
                    candidates.append((u + step, v))
                if 0 <= y - step < height:
                    u, v = (current if y - step in rows else previous)[y - step, x]
                    candidates.append((u, v + step))
                for u, v in candidates:
                    inside = 0 <= v < size[0] and 0 <= u < size[1]
                    current_u, current_v = current[y, x]
                    if inside and cost[y, x, v, u] < cost[y, x, current_v, current_u]:
                        current[y, x] = u, v
    return current


def mix(bands: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Bands (N, H, W, C) mixed by weights (N, H, W), and the energies before and after, (H, W)."""
    bands, factors = bands.astype(np.float64), weights.astype(np.float64)[..., None]
    mixed = (factors * bands).sum(axis=0)
    target_energy = (factors * bands**2).sum(axis=0).mean(axis=2)
    return mixed, target_energy, (mixed**2).mean(axis=2)


def raise_contrast(
    image: Array, mixed: Array, target_energy: Array, mixed_energy: Array, max_gain: float
) -> Array:
    """``image`` plus ``mixed``, raised from ``mixed_energy`` to ``target_energy``."""
    ratio = (target_energy.astype(np.float64) + 0.5) / (mixed_energy.astype(np.float64) + 0.5)
    return image + np.clip(np.sqrt(ratio), 1, max_gain)[..., None] * mixed
