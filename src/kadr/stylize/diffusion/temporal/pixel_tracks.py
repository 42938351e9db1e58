"""Optical flow and occlusion in, the frame and position where each pixel first appeared out.

From these tracks follow noise cells: which value of noise each cell of a latent takes. Carried
noise must stay white: no value may be used twice and none may be a mean of others. Therefore
positions are tracked to fractions of a pixel from frame to frame, and noise is sampled at the
nearest cell only once, at the end. Where two cells would take the same value, one of them gets a
new value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.stylize.base import Flow, Mask

Points = NDArray[np.float32]
"""(h, w, 2) float32 positions (x, y) in pixels of a frame; pixel centres are whole numbers."""


@dataclass(frozen=True, eq=False)
class PixelTracks:
    """Where the pixels of a frame first appeared.

    first_index: the first frame of its group.
    origin_index: (H, W) int32, the frame in which each pixel appeared.
    origin_position: (H, W, 2) float32, its position in that frame, (x, y) in pixels.
    """

    first_index: int
    origin_index: NDArray[np.int32]
    origin_position: Points


def start_tracks(index: int, height: int, width: int) -> PixelTracks:
    """The tracks of a group's first frame: every pixel appears there."""
    origin_index = np.full((height, width), index, np.int32)
    return PixelTracks(index, origin_index, _pixel_grid(height, width))


def advance_tracks(tracks: PixelTracks, index: int, flow: Flow, occlusion: Mask) -> PixelTracks:
    """The tracks of frame ``index``, from those of the frame that ``flow`` points into."""
    height, width = occlusion.shape
    grid = _pixel_grid(height, width)
    positions = grid + flow
    columns = np.clip(np.rint(positions[..., 0]), 0, width - 1).astype(np.intp)
    rows = np.clip(np.rint(positions[..., 1]), 0, height - 1).astype(np.intp)
    fraction = positions - np.stack([columns, rows], axis=2).astype(np.float32)
    outside = (np.abs(fraction) > 0.5).any(axis=2)
    new = occlusion | outside
    origin_index = np.where(new, np.int32(index), tracks.origin_index[rows, columns])
    tracked = tracks.origin_position[rows, columns] + fraction
    origin_position = np.where(new[..., None], grid, tracked)
    return PixelTracks(tracks.first_index, origin_index, origin_position.astype(np.float32))


@dataclass(frozen=True, eq=False)
class NoiseCells:
    """Which value of noise each cell of a latent takes; all (h, w).

    original: True where the value is from the first frame's own noise.
    origin_index: the frame whose noise it is. cell: row times width plus column in that frame.
    duplicate: 0 for the first cell that takes a value; 1, 2, ... for others, which get a new one.
    """

    original: NDArray[np.bool_]
    origin_index: NDArray[np.int64]
    cell: NDArray[np.int64]
    duplicate: NDArray[np.int64]


def find_noise_cells(tracks: PixelTracks, points: Points, scale: tuple[float, float]) -> NoiseCells:
    """The noise cells of a frame's latent.

    points: (h, w, 2), the position in the frame of the centre of each cell.
    scale: (x, y), pixels of the frame from one cell to the next.
    """
    height, width = tracks.origin_index.shape
    rows = np.clip(np.rint(points[..., 1]), 0, height - 1).astype(np.intp)
    columns = np.clip(np.rint(points[..., 0]), 0, width - 1).astype(np.intp)
    fraction = points - np.stack([columns, rows], axis=2).astype(np.float32)
    origin_index = tracks.origin_index[rows, columns].astype(np.int64)
    # in cells of the origin frame, measured from the centre of cell 0
    origin = tracks.origin_position[rows, columns] + fraction
    position = (origin - points[0, 0]) / np.array(scale, np.float32)
    limit = np.array([points.shape[1] - 1, points.shape[0] - 1])
    nearest = np.clip(np.rint(position), 0, limit).astype(np.int64)
    cell = nearest[..., 1] * points.shape[1] + nearest[..., 0]
    distance = np.square(position - nearest).sum(axis=2)
    duplicate = _number_duplicates(origin_index, cell, distance)
    original = (origin_index == tracks.first_index) & (duplicate == 0)
    return NoiseCells(original, origin_index, cell, duplicate)


def _number_duplicates(
    origin_index: NDArray[np.int64], cell: NDArray[np.int64], distance: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Number the cells that would take the same value, the nearest first."""
    keys = np.arange(cell.size), distance.ravel(), cell.ravel(), origin_index.ravel()
    order = np.lexsort(keys)
    indices, cells = origin_index.ravel()[order], cell.ravel()[order]
    changes = (indices[1:] != indices[:-1]) | (cells[1:] != cells[:-1])
    starts = np.flatnonzero(np.r_[True, changes])
    counts = np.diff(np.r_[starts, cell.size])
    duplicate = np.empty(cell.size, np.int64)
    duplicate[order] = np.arange(cell.size) - np.repeat(starts, counts)
    return duplicate.reshape(cell.shape)


def _pixel_grid(height: int, width: int) -> Points:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], axis=2)
