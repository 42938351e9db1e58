"""The blocks of a frame that a survey compares: a grid, or blocks of what a mask leaves."""

from __future__ import annotations

import itertools
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = 6
"""Number of blocks along each side."""

Row = NDArray[np.uint8]
"""(B,) uint8, the mean of each block."""


class Mattes(Protocol):
    """Which part of each frame is restyled."""

    def matte(self, index: int) -> NDArray[np.float32]:
        """(H, W) float32, 0–1: 1 where frame ``index`` is restyled."""
        ...

    def digest(self, index: int) -> str:
        """A hash of all that the matte of a frame is made from."""
        ...


class MatteBlocks:
    """Blocks of a matte (h, w) float32: rows of rectangles that hold about as much of it each.

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

    def means(self, image: NDArray[np.uint8]) -> Row:
        """The means of an image (h, w) inside the matte; 0 if the matte is 0 everywhere."""
        if self._total == 0:
            return np.zeros(GRID * GRID, np.uint8)
        masked = image * self._matte
        # a block without a pixel: the matte is smaller than the grid
        means = np.full(GRID * GRID, float(masked.sum()) / self._total)
        np.divide(self._sums(masked), self._weights, out=means, where=self._weights > 1e-3)
        rounded: Row = np.rint(np.clip(means, 0, 255)).astype(np.uint8)
        return rounded

    def _sums(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of each block."""
        total = cv2.integral(image, sdepth=cv2.CV_64F)
        sums: NDArray[np.float64] = (
            total[self._bottoms, self._rights]
            - total[self._tops, self._rights]
            - total[self._bottoms, self._lefts]
            + total[self._tops, self._lefts]
        )
        return sums


def grid_means(image: NDArray[np.uint8]) -> Row:
    """The means of the blocks of a whole image (h, w)."""
    blocks: Row = cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return blocks.ravel()


def _equal_parts(weights: NDArray[np.float32]) -> NDArray[np.intp]:
    """The edges of GRID parts of about the same weight."""
    sums = np.concatenate([[0.0], np.cumsum(weights, dtype=np.float64)])
    shares = np.linspace(0, sums[-1], GRID + 1)
    edges: NDArray[np.intp] = np.rint(np.interp(shares, sums, np.arange(sums.size))).astype(np.intp)
    edges[0], edges[-1] = 0, weights.size
    return edges
