"""Positions of a surface in, the same continued beyond its outline out: smooth, and nearly rigid.

What is painted beside a surface moves with it, but nothing in the film shows how. So the motion is
fitted by similarities (moving least squares, Schaefer et al. 2006) whose weights fall slowly with
the distance, and what they leave over is filled by pull-push, which is continuous at the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.pull_push import pull_push
from kadr.core.warp import Field, grid

_MOST_CELLS = 128
"""Cells along the longest side: the fit is smooth, and finds nothing more on a finer grid."""
_CORE_CELLS = 4.0
_FALL = 0.25
"""Weight of a level of the pyramid against the finer one: weights fall with the fourth power of the
distance, so that near parts count most and something always counts."""
_RIDGE = 1e-3
"""Added to the variance of positions, in squared reaches: few samples give no turn and no scale."""
_ROUNDS = 3
_TRIED = 24
"""Cells whose motion is tried as that of all."""
_TOLERANCE = 0.12
"""Share of the reach by which cells that move as one may differ: heads are no flat pictures."""
_TIGHTER = (0.12, 0.06, 0.03, 0.03)
"""The same while a common motion is fitted: what moves by itself counts less and less."""
_COMMON = (0.5, 0.6)
"""Shares of the weight from which on, and at which, one motion is that of the whole."""
_SMOOTHED = 0.1
"""Of the finest motion at an outline: a shape is not to be bent by each hair of it."""
_LEAST_SCALE = 0.5
"""Pixels up to which residuals are noise."""
_LEAST_WEIGHT = 1e-9

_Complex = NDArray[np.complex128]
_Plane = NDArray[np.float32]


def continue_positions(positions: Field, weight: _Plane, reach: float) -> Field | None:
    """Continue positions beyond where they hold; None if they hold nowhere.

    positions: (H, W, 2) float32. weight: (H, W) float32, 0–1, how far each of them holds. reach: in
    pixels, the size of the parts whose motion is continued as a whole. Returns (H, W, 2) float32,
    everywhere.
    """
    cells = _Cells(positions, weight, reach)
    if not cells.weight.sum() > _LEAST_WEIGHT:
        return None
    sure = np.ones_like(cells.weight)
    turn, shift = cells.fit(cells.weight)
    whole = cells.common_motion(turn, shift)
    for _ in range(_ROUNDS - 1):  # parts that move by themselves count less
        sure = cells.agreement(turn, shift)
        turn, shift = cells.fit(cells.weight * sure)
    sure += whole.share * (cells.agreement(whole.turn, whole.shift) - sure)
    turn += whole.share * (whole.turn - turn)
    shift += whole.share * (whole.shift - shift)
    continued = cells.enlarge(turn, shift)
    size = positions.shape[1], positions.shape[0]
    agreed = cv2.resize(sure.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return fill_positions(positions, continued, weight * np.clip(agreed, 0, 1), _SMOOTHED)


def fill_positions(positions: Field, base: Field, weight: _Plane, kept: float = 1.0) -> Field:
    """``positions`` (H, W, 2) where ``weight`` (H, W) ≥ 0 is largest, and around there as they
    depart from ``base`` (H, W, 2), less and less.

    kept: 0–1, how much of their finest motion is kept; the rest is smoothed.
    """
    held = weight * np.float32(kept / max(float(weight.max()), _LEAST_WEIGHT))
    return base + pull_push((positions - base) * held[..., None], held)


@dataclass(frozen=True)
class _Motion:
    """One motion of many cells. share: 0–1, how far it counts as that of all of them."""

    turn: complex
    shift: complex
    share: float


class _Cells:
    """Positions averaged over the cells of a grid, as complex numbers in reaches."""

    def __init__(self, positions: Field, weight: _Plane, reach: float) -> None:
        height, width = weight.shape
        cell = max(1.0, reach / _CORE_CELLS, max(height, width) / _MOST_CELLS)
        size = max(1, round(width / cell)), max(1, round(height / cell))
        self._shape, self._unit = (height, width), reach
        self._sigma = reach * size[0] / width
        own = grid(height, width)
        planes = [weight, *cv2.split(own * weight[..., None])]
        planes += cv2.split((positions - own) * weight[..., None])
        reduced = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
        self.weight, x, y, dx, dy = (plane.astype(np.float64) for plane in reduced)
        total = np.maximum(self.weight, _LEAST_WEIGHT)
        x, y, dx, dy = (np.where(self.weight > 0, plane / total, 0) for plane in (x, y, dx, dy))
        share = self.weight / max(float(self.weight.sum()), _LEAST_WEIGHT)
        self._middle = complex((share * x).sum(), (share * y).sum())
        self._from: _Complex = (x + 1j * y - self._middle) / reach
        self._to: _Complex = self._from + (dx + 1j * dy) / reach

    def fit(self, weight: NDArray[np.float64]) -> tuple[_Complex, _Complex]:
        """The turn and the shift around each cell: a position z leads to turn · z + shift."""
        z, q = self._from, self._to
        total = np.maximum(_spread(weight, self._sigma), 1e-300)

        def mean(values: _Complex) -> _Complex:
            real = _spread(weight * values.real, self._sigma)
            imaginary = _spread(weight * values.imag, self._sigma)
            return np.asarray((real + 1j * imaginary) / total, np.complex128)

        mean_z, mean_q = mean(z), mean(q)
        variance = _spread(weight * np.abs(z) ** 2, self._sigma) / total - np.abs(mean_z) ** 2
        covariance = mean(np.conj(z) * q) - np.conj(mean_z) * mean_q
        turn = (covariance + _RIDGE) / (np.maximum(variance, 0) + _RIDGE)
        return turn, mean_q - turn * mean_z

    def common_motion(self, turn: _Complex, shift: _Complex) -> _Motion:
        """The one motion with which most of the weight agrees.

        turn, shift: the motions around each cell, from which it is chosen.
        """
        order = np.argsort(-self.weight, axis=None, kind="stable")
        heavy = order[: max(1, int((self.weight > 0).sum()))]
        tried = heavy[np.unique(np.linspace(0, len(heavy) - 1, _TRIED).astype(np.intp))]
        candidates = [(turn.flat[cell], shift.flat[cell]) for cell in tried]
        motion = max(candidates, key=lambda candidate: self._support(*candidate).sum())
        for tolerance in _TIGHTER:
            motion = self._single_fit(self._support(*motion, tolerance))
        share = float(self._support(*motion).sum() / self.weight.sum())
        low, high = _COMMON
        t = min(max((share - low) / (high - low), 0.0), 1.0)
        return _Motion(*motion, share=t * t * (3 - 2 * t))

    def _support(
        self, turn: complex, shift: complex, tolerance: float = _TOLERANCE
    ) -> NDArray[np.float64]:
        """The weight of each cell, as far as it moves by this motion."""
        residual = np.abs(turn * self._from + shift - self._to) * self._unit
        scale = max(3 * _LEAST_SCALE, tolerance * self._unit)
        support: NDArray[np.float64] = self.weight / np.square(1 + np.square(residual / scale))
        return support

    def _single_fit(self, weight: NDArray[np.float64]) -> tuple[complex, complex]:
        total = max(float(weight.sum()), 1e-300)
        mean_z = complex((weight * self._from).sum() / total)
        mean_q = complex((weight * self._to).sum() / total)
        z, q = self._from - mean_z, self._to - mean_q
        covariance = complex((weight * np.conj(z) * q).sum() / total)
        variance = float((weight * np.abs(z) ** 2).sum() / total)
        turn = (covariance + _RIDGE) / (variance + _RIDGE)
        return turn, mean_q - turn * mean_z

    def agreement(self, turn: _Complex | complex, shift: _Complex | complex) -> NDArray[np.float64]:
        """0–1, how well each cell agrees with the fit (weights of Geman and McClure)."""
        residual = np.abs(turn * self._from + shift - self._to) * self._unit
        scale = max(_LEAST_SCALE, 2 * _weighted_median(residual, self.weight))
        agreement: NDArray[np.float64] = 1 / np.square(1 + np.square(residual / scale))
        return agreement

    def enlarge(self, turn: _Complex, shift: _Complex) -> Field:
        """The fit at each pixel, (H, W, 2)."""
        height, width = self._shape
        a, b, c, d = (
            cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
            for part in (turn.real, turn.imag, shift.real, shift.imag)
        )
        x, y = cv2.split((grid(height, width) - self._point(self._middle)) / self._unit)
        fitted = np.dstack([a * x - b * y + c, b * x + a * y + d]) * self._unit
        result: Field = (fitted + self._point(self._middle)).astype(np.float32)
        return result

    @staticmethod
    def _point(number: complex) -> NDArray[np.float64]:
        return np.array([number.real, number.imag])


def _spread(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Sums of values around each cell, with a Gaussian core and tails that fall slowly."""
    level = cv2.GaussianBlur(values, (0, 0), max(sigma, 0.5), borderType=cv2.BORDER_CONSTANT)
    return _with_tails(level)


def _with_tails(level: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = level.shape
    if max(height, width) <= 2:
        return level
    coarse = _with_tails(cv2.pyrDown(level))
    tails: NDArray[np.float64] = cv2.pyrUp(coarse, dstsize=(width, height))
    return level + _FALL * tails


def _weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    order = np.argsort(values, axis=None, kind="stable")
    running = np.cumsum(weight.ravel()[order])
    middle = int(np.searchsorted(running, running[-1] / 2))
    return float(values.ravel()[order[min(middle, len(order) - 1)]])
