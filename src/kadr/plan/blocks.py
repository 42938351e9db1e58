"""The blocks of a frame that a survey compares: a grid, or blocks of what a mask leaves."""

from __future__ import annotations

import itertools
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = 6
"""Number of blocks along each side."""
CELLS = 6
"""Number of cells along each side of a block."""
_SMALLEST = 4
"""The cells of a block that are a small region: those with the highest means, a ninth of it."""
_AROUND = 12
"""The next lower ones, a third of it, with which they are compared: in a large region these are as
high."""
_BORDER = 2
"""Cells along the sides of an image that are no small region: there new content enters."""

Row = NDArray[np.uint8]
"""(2, B) uint8: the mean of each block, and by how much its small region is above the rest."""


class Mattes(Protocol):
    """Which part of each frame is restyled."""

    def matte(self, index: int) -> NDArray[np.float32]:
        """(H, W) float32, 0–1: 1 where frame ``index`` is restyled."""
        ...

    def digest(self, index: int) -> str:
        """A hash of all that the matte of a frame is made from."""
        ...


class MatteBlocks:
    """Blocks of a matte (h, w) float32, of cells: rows of rectangles that hold about as much of it.

    So what lies inside the matte counts alike wherever it is, and however small it is, and what
    lies outside does not count.
    """

    def __init__(self, matte: NDArray[np.float32]) -> None:
        self._matte = matte
        self._total = float(matte.sum())
        corners: list[tuple[int, int, int, int]] = []
        rows = _equal_parts(matte.sum(axis=1))
        for top, bottom in itertools.pairwise(rows):
            columns = _equal_parts(matte[top:bottom].sum(axis=0))
            corners += [(top, bottom, left, right) for left, right in itertools.pairwise(columns)]
        self._tops, self._bottoms, self._lefts, self._rights = np.array(corners, np.intp).T
        self._weights = self._sums(matte)

    def values(self, image: NDArray[np.uint8]) -> Row:
        """As ``block_values``, of an image (h, w) inside the matte; 0 if that is 0 everywhere."""
        if self._total == 0:
            return np.zeros((2, GRID * GRID), np.uint8)
        masked = image * self._matte
        # a cell without a pixel: the matte is smaller than the grid
        means = np.full(self._weights.size, float(masked.sum()) / self._total)
        np.divide(self._sums(masked), self._weights, out=means, where=self._weights > 1e-3)
        return _values(means, means)

    def _sums(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of each cell."""
        total = cv2.integral(image, sdepth=cv2.CV_64F)
        sums: NDArray[np.float64] = (
            total[self._bottoms, self._rights]
            - total[self._tops, self._rights]
            - total[self._bottoms, self._lefts]
            + total[self._tops, self._lefts]
        )
        return sums


def block_values(image: NDArray[np.uint8]) -> Row:
    """The values of the blocks of an image (h, w).

    A mouth that opens is a hundredth of a picture: means hide it among the noise and the changes of
    all the rest, which is high in whole blocks. So a small region is compared with its block.
    """
    side = GRID * CELLS
    cells = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    inner = np.zeros_like(cells)
    inside = slice(_BORDER, -_BORDER)
    inner[inside, inside] = cells[inside, inside]
    return _values(cells, inner)


def _values(
    cells: NDArray[np.uint8] | NDArray[np.float64], inner: NDArray[np.uint8] | NDArray[np.float64]
) -> Row:
    """From the means of cells, row by row, and those among which small regions may be."""
    means = _blocks(cells).mean(axis=1)
    ordered = np.sort(_blocks(inner), axis=1)
    highest = ordered[:, -_SMALLEST:].mean(axis=1)
    around = ordered[:, -_SMALLEST - _AROUND : -_SMALLEST].mean(axis=1)
    rounded: Row = np.rint(np.clip([means, highest - around], 0, 255)).astype(np.uint8)
    return rounded


def _blocks(cells: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float32]:
    """(B, n): the cells of each block."""
    rows = cells.astype(np.float32).reshape(GRID, CELLS, GRID, CELLS)
    return rows.transpose(0, 2, 1, 3).reshape(GRID * GRID, CELLS * CELLS)


def _equal_parts(weights: NDArray[np.float32]) -> NDArray[np.intp]:
    """The edges of as many parts of about the same weight as there are cells along a side."""
    sums = np.concatenate([[0.0], np.cumsum(weights, dtype=np.float64)])
    shares = np.linspace(0, sums[-1], GRID * CELLS + 1)
    edges: NDArray[np.intp] = np.rint(np.interp(shares, sums, np.arange(sums.size))).astype(np.intp)
    edges[0], edges[-1] = 0, weights.size
    return edges
