"""Motion from frame to frame in, for each pixel where it was first seen out; and cells of noise.

Noise that is carried along must stay white: no value twice, none a mean of others. So positions
are followed to fractions of a pixel from frame to frame, and noise is taken at the nearest cell
once, at the end; where two cells would take the same value one of them takes another of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.stylize.base import Flow, Mask

Points = NDArray[np.float32]
"""(h, w, 2) float32 positions (x, y) in pixels of a frame; pixel centres are whole numbers."""


@dataclass(frozen=True, eq=False)
class Drift:
    """Where the pixels of a frame were first seen.

    first: the first frame of its group.
    born: (H, W) int32, the frame in which each pixel came to light.
    position: (H, W, 2) float32, where it was in that frame, (x, y) in pixels.
    """

    first: int
    born: NDArray[np.int32]
    position: Points


def first_drift(index: int, height: int, width: int) -> Drift:
    """The drift of a group's first frame: all is seen for the first time."""
    return Drift(index, np.full((height, width), index, np.int32), _grid(height, width))


def drift_on(drift: Drift, index: int, flow: Flow, hidden: Mask) -> Drift:
    """The drift of frame ``index``, from that of the frame that ``flow`` points into."""
    height, width = hidden.shape
    grid = _grid(height, width)
    at = grid + flow
    columns = np.clip(np.rint(at[..., 0]), 0, width - 1).astype(np.intp)
    rows = np.clip(np.rint(at[..., 1]), 0, height - 1).astype(np.intp)
    beside = at - np.stack([columns, rows], axis=2).astype(np.float32)
    outside = (np.abs(beside) > 0.5).any(axis=2)
    new = hidden | outside
    born = np.where(new, np.int32(index), drift.born[rows, columns])
    position = np.where(new[..., None], grid, drift.position[rows, columns] + beside)
    return Drift(drift.first, born, position.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Cells:
    """Which value of noise each cell of a latent takes; all (h, w).

    original: True where it is one of the first frame's own noise.
    born: the frame whose noise it is; cell: row times width plus column in it;
    turn: 0 for the first that takes that value, 1 for the next, which takes another one.
    """

    original: NDArray[np.bool_]
    born: NDArray[np.int64]
    cell: NDArray[np.int64]
    turn: NDArray[np.int64]


def noise_cells(drift: Drift, points: Points, scale: tuple[float, float]) -> Cells:
    """The cells of a latent of a frame.

    points: (h, w, 2), where in the frame the middle of each cell lies.
    scale: (x, y), pixels of the frame from one cell to the next.
    """
    height, width = drift.born.shape
    rows = np.clip(np.rint(points[..., 1]), 0, height - 1).astype(np.intp)
    columns = np.clip(np.rint(points[..., 0]), 0, width - 1).astype(np.intp)
    beside = points - np.stack([columns, rows], axis=2).astype(np.float32)
    born = drift.born[rows, columns].astype(np.int64)
    # in cells of the frame where it came to light, from the middle of cell 0
    place = (drift.position[rows, columns] + beside - points[0, 0]) / np.array(scale, np.float32)
    limit = np.array([points.shape[1] - 1, points.shape[0] - 1])
    nearest = np.clip(np.rint(place), 0, limit).astype(np.int64)
    cell = nearest[..., 1] * points.shape[1] + nearest[..., 0]
    away = np.square(place - nearest).sum(axis=2)
    turn = _turns(born, cell, away)
    return Cells((born == drift.first) & (turn == 0), born, cell, turn)


def _turns(
    born: NDArray[np.int64], cell: NDArray[np.int64], away: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Number those that want the same value, the nearest first."""
    order = np.lexsort((np.arange(cell.size), away.ravel(), cell.ravel(), born.ravel()))
    b, c = born.ravel()[order], cell.ravel()[order]
    starts = np.flatnonzero(np.r_[True, (b[1:] != b[:-1]) | (c[1:] != c[:-1])])
    counts = np.diff(np.r_[starts, cell.size])
    turn = np.empty(cell.size, np.int64)
    turn[order] = np.arange(cell.size) - np.repeat(starts, counts)
    return turn.reshape(cell.shape)


def _grid(height: int, width: int) -> Points:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], axis=2)
