"""Two paintings of the same surface in; a smooth map of colours from one to the other out.

The map is one affine transform of CIE Lab colours for the whole picture, and local corrections of
it in the cells of a bilateral grid (Chen et al. 2007): over the picture and over lightness, so that
neighbouring cells that differ in lightness, such as a face before a wall, get their own. Each is a
weighted least-squares fit, regularized, and robust by reweighting (Huber 1964).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.row_bands import run_bands

Plane = NDArray[np.float32]

_CELL = 12
"""Cells of the grid along the longer side."""
_BINS = 5
"""Cells of the grid along lightness, 0–100."""
_ROUNDS = 4
"""Rounds of reweighting."""
_HUBER = 6.0
"""Difference of colour (CIE 1976) above which a pixel counts less."""
_RIDGE, _OFFSET_RIDGE = 60.0, 4.0
"""How many pixels' weight holds the local correction at none: of its slopes, per square of Lab
units, and of its offset."""
_GLOBAL_RIDGE = 0.01
"""Share of the weight of all pixels that holds the slopes of the global transform at identity."""
_MARGIN = 5.0
"""Lab units beyond the colours that were compared up to which the map is extrapolated."""
_ROWS = 64


def to_lab(image: Image) -> Plane:
    """(H, W, 3) uint8 sRGB as float32 CIE Lab, lightness 0–100."""
    lab: Plane = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    return lab


def from_lab(lab: Plane) -> Image:
    """Lab (H, W, 3) as uint8 sRGB, clipped."""
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    image: Image = np.rint(rgb * 255).astype(np.uint8)
    return image


@dataclass(frozen=True, eq=False)
class ColourMap:
    """A smooth map of Lab colours.

    whole: (3, 4) of the whole picture, applied to (L, a, b, 1). cells: (bins, rows, columns, 3, 4)
    what the cells add, applied to the same. low, high: (3,) the colours between which the map was
    fitted; those beyond move as far as the nearest one between.
    """

    whole: NDArray[np.float64]
    cells: Plane
    low: Plane
    high: Plane

    def apply(self, lab: Plane) -> Plane:
        """Map (H, W, 3) float32 of any size."""
        height, width = lab.shape[:2]
        output = np.empty_like(lab)

        def map_rows(start: int, stop: int) -> None:
            output[start:stop] = self._map_rows(lab[start:stop], start, height, width)

        run_bands(map_rows, height, band=_ROWS)
        return output

    def _map_rows(self, lab: Plane, start: int, height: int, width: int) -> Plane:
        bins, rows, columns = self.cells.shape[:3]
        y = (np.arange(start, start + len(lab), dtype=np.float32) + 0.5) * (rows / height) - 0.5
        x = (np.arange(width, dtype=np.float32) + 0.5) * (columns / width) - 0.5
        map_x, map_y = np.meshgrid(x, y)
        between = np.clip(lab, self.low, self.high)
        homogeneous = np.dstack([between, np.ones_like(lab[..., 0])])
        mapped: Plane = homogeneous @ self.whole.T.astype(np.float32)
        mapped += lab - between
        place = np.clip(lab[..., 0] * np.float32(bins / 100) - np.float32(0.5), 0, bins - 1)
        for number in range(bins):
            share = np.clip(1 - np.abs(place - np.float32(number)), 0, None)
            if not share.any():
                continue
            for channel in range(3):
                plane = np.ascontiguousarray(self.cells[number, :, :, channel])
                slopes = cv2.remap(
                    plane, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                )
                mapped[..., channel] += share * (slopes * homogeneous).sum(axis=2)
        return mapped


def fit_colours(source: Plane, target: Plane, weight: Plane) -> ColourMap:
    """The map from ``source`` to ``target`` colours, both (h, w, 3) Lab of the same surface.

    weight: (h, w) 0–1. Where it is 0 in a whole region, the map is that of the regions around it,
    in the end that of the whole picture. There is a weight above 0.
    """
    height, width = weight.shape
    flat = weight.reshape(-1).astype(np.float64)
    points = source.reshape(-1, 3).astype(np.float64)
    goals = target.reshape(-1, 3).astype(np.float64)
    ones = np.ones((len(points), 1))
    robust = flat
    low, high = _range(points, flat)
    whole = np.eye(3, 4)
    for _ in range(_ROUNDS):
        whole = _fit_whole(points, goals, robust)
        residual = goals - np.hstack([points, ones]) @ whole.T
        robust = flat * _huber(residual)
    cells = np.zeros((_BINS, *_cells(height, width), 3, 4))
    splat = _Splat(source[..., 0], height, width)
    base = np.hstack([points, ones]) @ whole.T
    for _ in range(_ROUNDS):
        residual = goals - base
        cells = _fit_cells(splat, points, residual, robust)
        fitted = ColourMap(whole, cells.astype(np.float32), low, high).apply(source)
        robust = flat * _huber(goals - fitted.reshape(-1, 3))
    return ColourMap(whole, cells.astype(np.float32), low, high)


def _range(points: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[Plane, Plane]:
    """The colours between which nearly all pixels lie that have a weight, with a margin."""
    used = points[weight > 0.5 * weight.max()]
    ends = np.percentile(used, [0.5, 99.5], axis=0) + np.array([[-_MARGIN], [_MARGIN]])
    return ends[0].astype(np.float32), ends[1].astype(np.float32)


def _huber(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.sqrt(np.square(residual).sum(axis=1))
    weight: NDArray[np.float64] = _HUBER / np.maximum(size, _HUBER)
    return weight


def _fit_whole(
    points: NDArray[np.float64], goals: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(3, 4); where colours hardly vary, their slope stays 1."""
    total = weight.sum()
    # einsum, not matrix products: those add up in another order for another number of threads
    mean, goal_mean = (np.einsum("n,ni->i", weight, values) / total for values in (points, goals))
    centred, goal = points - mean, goals - goal_mean
    weighted = centred * weight[:, None]
    covariance = np.einsum("ni,nj->ij", weighted, centred) / total
    cross = np.einsum("ni,nj->ij", goal, weighted) / total
    # at least a few Lab units of variance, so that noise does not become a slope
    ridge = (_GLOBAL_RIDGE * np.trace(covariance) + 4.0) * np.eye(3)
    slopes = np.linalg.solve((covariance + ridge).T, (cross + ridge).T).T
    return np.hstack([slopes, (goal_mean - slopes @ mean)[:, None]])


def _cells(height: int, width: int) -> tuple[int, int]:
    unit = max(height, width) / _CELL
    return max(1, round(height / unit)), max(1, round(width / unit))


class _Splat:
    """Adds values of pixels to the cells around them."""

    def __init__(self, lightness: Plane, height: int, width: int) -> None:
        self.shape = (_BINS, *_cells(height, width))
        bins, rows, columns = self.shape
        y, x = np.indices((height, width)).reshape(2, -1)
        row = np.minimum(((y + 0.5) * rows / height).astype(np.int64), rows - 1)
        column = np.minimum(((x + 0.5) * columns / width).astype(np.int64), columns - 1)
        level = np.clip((lightness.reshape(-1) * bins / 100).astype(np.int64), 0, bins - 1)
        self._cell = (level * rows + row) * columns + column

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums of (n,) values in the cells, smoothed over neighbours."""
        count = int(np.prod(self.shape))
        sums = np.bincount(self._cell, values, minlength=count).astype(np.float64)
        grid: NDArray[np.float64] = sums.reshape(self.shape)
        for axis in range(3):
            for _ in range(2 if axis else 1):
                padded = np.pad(grid, [(1, 1) if i == axis else (0, 0) for i in range(3)])
                before, after = (
                    np.take(padded, np.arange(grid.shape[axis]) + shift, axis=axis)
                    for shift in (0, 2)
                )
                grid = 0.5 * grid + 0.25 * (before + after)
        return grid


def _fit_cells(
    splat: _Splat,
    points: NDArray[np.float64],
    residual: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(bins, rows, columns, 3, 4), what is to be added to the transform of the whole picture."""
    columns = [points[:, 0], points[:, 1], points[:, 2], np.ones(len(points))]
    normal = np.empty((*splat.shape, 4, 4))
    for i in range(4):
        for j in range(i, 4):
            normal[..., i, j] = normal[..., j, i] = splat.sum(weight * columns[i] * columns[j])
    cross = np.empty((*splat.shape, 3, 4))
    for channel in range(3):
        for i in range(4):
            cross[..., channel, i] = splat.sum(weight * residual[:, channel] * columns[i])
    # slopes are held at none around the mean colour of the cell, so that they do not act as offset
    total = normal[..., 3, 3]
    mean = normal[..., :3, 3] / np.maximum(total, 1e-9)[..., None]
    centre = np.zeros((*splat.shape, 4, 4))
    centre[..., range(4), range(4)] = 1
    centre[..., :3, 3] = -mean  # (L − mean, …, 1)
    local_normal = centre @ normal @ np.swapaxes(centre, -1, -2)
    local_cross = cross @ np.swapaxes(centre, -1, -2)
    local_normal[..., range(3), range(3)] += _RIDGE * 25
    local_normal[..., 3, 3] += _OFFSET_RIDGE
    local = np.swapaxes(np.linalg.solve(local_normal, np.swapaxes(local_cross, -1, -2)), -1, -2)
    fitted: NDArray[np.float64] = local @ centre
    return fitted
