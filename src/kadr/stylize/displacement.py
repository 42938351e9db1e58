"""A key and its filmed frame in, the shift and scale by which the key is displaced out.

Programs that repaint a frame return it shifted by some pixels, or scaled about its centre. Outlines
of both are compared, with their directions but not their sign, so that colours, textures and
inverted tones do not matter: first as a whole over shifts and scales, then block by block. The
blocks say whether one shift and scale explains them, and how exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.resize import shrink_to_side

Plane = NDArray[np.float32]

VERSION = 1
"""Raised when keys are measured or moved back otherwise."""

_COARSE_SIDE, _FINE_SIDE = 192, 512
"""Longest sides in pixels at which the whole, and blocks, are compared."""
_SCALES = tuple(np.round(np.arange(0.88, 1.121, 0.02), 2))
_MOST_SHIFT = 0.15
"""The largest shift, as a part of the longest side."""
_SMOOTH, _LOCAL = 1.5, 12.0
"""Sigmas in pixels: of what is finer than outlines, and of what is coarser."""
_GRID = (6, 8)
"""Blocks along the shorter and the longer side; each overlaps its neighbours by half."""
_ROUNDS = 3
_SETTLED = 0.05
"""Pixels at the fine side of a change after which further rounds change nothing."""
_REACH = 12
"""Pixels at the fine side up to which a block is searched for."""
_LEAST_BLOCK_FIT = 0.3
"""Correlation from which on a block counts."""
_LEAST_BLOCKS = 8
_LEAST_FIT = 0.25
"""Correlation that the key must reach where it was found to lie."""
_MANY_BLOCKS = 16
"""Blocks that are needed to say that no single shift and scale explains them."""
_LEAST_SHIFT = 0.5
"""Pixels of the clip below which a displacement of a corner is none."""
_CERTAIN = 6.0
"""How many times its standard error a displacement must be."""
_LEAST_GAIN = 0.01
"""By how much the correlation of the whole must rise."""
_UNEXPLAINED = 4.0
"""Spread of what is left of the displacements of blocks, in pixels at the fine side, from which on
one shift and scale does not explain them."""
_BEND_FIT, _BEND_GAIN, _BEND_CHANGE = 0.45, 0.2, 0.6
"""For blocks that lie apart on purpose: correlation of the middle one, how much better they fit
where they are found, and by how much of the spread neighbours may differ. Blocks that show
something else are found anywhere."""


@dataclass(frozen=True)
class Displacement:
    """Where a key shows what its frame shows at p: at ``centre + scale · (p - centre) + (x, y)``.

    x, y: pixels of the clip, to the right and down. explained: whether one shift and scale explains
    all parts of the key; if not, the values are those of most of it.
    """

    scale: float
    x: float
    y: float
    explained: bool = True

    def matrix(self, size: tuple[int, int]) -> NDArray[np.float64]:
        """(2, 3): a position in a frame of ``size`` (width, height) → that in the key."""
        cx, cy = (size[0] - 1) / 2, (size[1] - 1) / 2
        rest = 1 - self.scale
        return np.array(
            [[self.scale, 0, rest * cx + self.x], [0, self.scale, rest * cy + self.y]], np.float64
        )

    def moved(self, scale: float, x: float, y: float) -> Displacement:
        """This one after another, of the key as this one moves it back."""
        return Displacement(self.scale * scale, self.x + self.scale * x, self.y + self.scale * y)

    def largest(self, size: tuple[int, int]) -> float:
        """Pixels by which the corner that is farthest from its place is displaced."""
        half = abs(self.scale - 1) * np.array(size) / 2
        return float(np.hypot(*(half + np.abs([self.x, self.y]))))


def measure_displacement(key: Image, frame: Image) -> Displacement | None:
    """How a key lies to its frame; None if it lies well, or if that cannot be told.

    key, frame: (H, W, 3 or 4) uint8 of one size. Shifts up to 15 % of the longest side and scales
    from 0.88 to 1.12 are measured, from half a pixel on. Transparent parts of a key do not count.
    """
    height, width = frame.shape[:2]
    if min(height, width) < 32:
        return None
    a, b = _features(key, _FINE_SIDE), _features(frame, _FINE_SIDE)
    size = b.shape[2], b.shape[1]
    placed = _coarse(_features(key, _COARSE_SIDE), _features(frame, _COARSE_SIDE), max(size))
    fitted: _Fitted | None = None
    for _ in range(_ROUNDS):
        fitted = _fit_blocks(_warped(a, placed.matrix(size)), b)
        if fitted is None:
            return None
        placed = placed.moved(*fitted.values)
        scale, x, y = fitted.values
        if max(abs(x), abs(y), abs(scale - 1) * max(size) / 2) < _SETTLED:
            break
    assert fitted is not None
    error = max(fitted.spread / fitted.count**0.5, 0.02)
    if abs(placed.scale - 1) * max(size) / 2 < max(_LEAST_SHIFT, _CERTAIN * error):
        placed = replace(placed, scale=1.0)  # a shift alone explains it as well
    before, after = _correlation(a, b), _correlation(_warped(a, placed.matrix(size)), b)
    unit = max(width, height) / max(size)
    result = Displacement(placed.scale, placed.x * unit, placed.y * unit)
    if fitted.spread > _UNEXPLAINED:
        return replace(result, explained=False) if fitted.is_bent else None
    certain = result.largest((width, height)) > unit * max(_LEAST_SHIFT / unit, _CERTAIN * error)
    return result if certain and after >= _LEAST_FIT and after - before >= _LEAST_GAIN else None


def align_key(key: Image, displacement: Displacement) -> Image:
    """The key moved back to where its frame shows it; what is missing at a border is mirrored."""
    size = key.shape[1], key.shape[0]
    aligned: Image = cv2.warpAffine(
        key,
        displacement.matrix(size),
        size,
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return aligned


def _features(image: Image, side: int) -> Plane:
    """(3, h, w): strength of outlines above that around them, and their doubled direction."""
    gray = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)
    small = shrink_to_side(gray, side).astype(np.float32)
    smooth = cv2.GaussianBlur(small, (0, 0), _SMOOTH)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = np.hypot(x, y)
    strength = np.sqrt(length)  # the root lets a faint outline count beside a strong one
    local = strength - cv2.GaussianBlur(strength, (0, 0), _LOCAL)
    weight = np.maximum(local, 0) / np.maximum(length * length, 1e-3)
    features = np.stack([local, (x * x - y * y) * weight, 2 * x * y * weight])
    if image.shape[2] == 4:
        alpha = shrink_to_side(np.ascontiguousarray(image[..., 3]), side)
        features *= cv2.erode(alpha, np.ones((7, 7), np.uint8)) > 250
    return features.astype(np.float32)


def _warped(features: Plane, matrix: NDArray[np.float64]) -> Plane:
    size = features.shape[2], features.shape[1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack([cv2.warpAffine(plane, matrix, size, flags=flags) for plane in features])


def _correlation(a: Plane, b: Plane) -> float:
    """−1 to 1, over the inner part; 0 where there is nothing to compare."""
    margin = max(2, round(0.02 * max(a.shape)))
    a, b = (plane[:, margin:-margin, margin:-margin] for plane in (a, b))
    power = float(np.square(a).sum() * np.square(b).sum())
    return float((a * b).sum()) / power**0.5 if power > 0 else 0.0


@cache
def _window(size: tuple[int, int]) -> Plane:
    """A Hanning window of ``size`` (width, height)."""
    window: Plane = cv2.createHanningWindow(size, cv2.CV_32F)
    return window


def _surface(a: Plane, b: Plane, reach: int) -> tuple[Plane, float]:
    """Correlation of ``a`` moved back by (x, y) with ``b``, for x and y from -reach to reach.

    Returns it and its scale: at most 1.
    """
    height, width = b.shape[1:]
    window = _window((width, height))
    size = cv2.getOptimalDFTSize(height + 2 * reach), cv2.getOptimalDFTSize(width + 2 * reach)
    a, b = a * window, b * window
    power = float(np.square(a).sum() * np.square(b).sum()) ** 0.5
    padded = np.zeros((2, len(a), *size), np.float32)
    padded[0, :, :height, :width], padded[1, :, :height, :width] = a, b
    product = np.zeros(size, np.float32)
    for plane_a, plane_b in zip(*padded):
        product += cv2.mulSpectrums(cv2.dft(plane_a), cv2.dft(plane_b), 0, conjB=True)
    surface = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    shifts = np.arange(-reach, reach + 1)  # negative ones lie at the end
    return surface[shifts[:, None], shifts], power


def _coarse(a: Plane, b: Plane, target: int) -> Displacement:
    """The displacement at which two images fit best, in pixels of a longest side of ``target``."""
    side = max(b.shape)
    unit = target / side
    reach = round(_MOST_SHIFT * side)
    size = b.shape[2], b.shape[1]
    best, placed = 0.0, Displacement(1.0, 0.0, 0.0)
    for scale in sorted(_SCALES, key=lambda value: abs(value - 1)):
        moved = _warped(a, Displacement(float(scale), 0, 0).matrix(size))
        surface, power = _surface(moved, b, reach)
        y, x = (int(i) for i in np.unravel_index(int(surface.argmax()), surface.shape))
        fit = float(surface[y, x]) / power if power > 0 else 0.0
        if fit > best:
            best = fit
            factor = float(scale) * unit
            placed = Displacement(float(scale), factor * (x - reach), factor * (y - reach))
    return placed


@dataclass(frozen=True)
class _Fitted:
    """A scale and shift in pixels that fit blocks; how many they are, and what is left over.

    spread: length of what is left of the shift of the middle block. is_bent: whether the blocks say
    that the key is bent, and not that it shows something else.
    """

    values: tuple[float, float, float]
    count: int
    spread: float
    is_bent: bool


def _fit_blocks(a: Plane, b: Plane) -> _Fitted | None:
    """Fit a scale and a shift to where the blocks of ``b`` are in ``a``; None if few are found."""
    matches = list(_blocks(a, b))
    if len(matches) < _LEAST_BLOCKS:
        return None
    place, shift, fit, gain = (np.array(values) for values in zip(*matches, strict=True))
    # unknowns: scale - 1, x, y; one row for each coordinate
    ones, zeros = np.ones(len(place)), np.zeros(len(place))
    rows = np.concatenate(
        [np.stack([place[:, 0], ones, zeros], 1), np.stack([place[:, 1], zeros, ones], 1)]
    )
    values = np.concatenate([shift[:, 0], shift[:, 1]])
    weights = np.tile(fit, 2)
    solution = np.array([0.0, *np.median(shift, axis=0)])
    for width in (4.0, 2.0, 1.0, 1.0, 1.0):
        left = values - rows @ solution
        error = np.square(left[: len(place)]) + np.square(left[len(place) :])
        robust = weights / np.tile(1 + error / width**2, 2)
        normal = rows.T @ (rows * robust[:, None]) + 1e-6 * np.eye(3)
        solution = np.linalg.solve(normal, rows.T @ (values * robust))
    left = values - rows @ solution
    error = np.square(left[: len(place)]) + np.square(left[len(place) :])
    scale, x, y = (float(value) for value in solution)
    # the middle half tells how exact blocks are; some of them show what was painted otherwise
    spread = float(np.sqrt(np.median(error)))
    is_bent = (
        len(place) >= _MANY_BLOCKS
        and np.median(fit) >= _BEND_FIT
        and np.median(gain) >= _BEND_GAIN
        and _neighbour_change(place, shift) <= _BEND_CHANGE * spread
    )
    return _Fitted((1 + scale, x, y), len(place), spread, bool(is_bent))


def _neighbour_change(place: NDArray[np.float64], shift: NDArray[np.float64]) -> float:
    """Pixels by which the shifts of a block and the nearest other one differ, their median."""
    distance = np.square(place[:, None] - place).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = shift[distance.argmin(axis=1)]
    return float(np.median(np.hypot(*(shift - nearest).T)))


def _blocks(
    a: Plane, b: Plane
) -> Iterator[tuple[tuple[float, float], tuple[float, float], float, float]]:
    """Blocks of ``b`` that are found in ``a``: centre from the middle, shift, fit, and its gain."""
    height, width = b.shape[1:]
    rows, columns = _GRID if height <= width else _GRID[::-1]
    step_y, step_x = height // (rows + 1), width // (columns + 1)
    texture = np.square(b).sum(axis=0)
    least = 0.2 * float(texture.mean()) * step_x * step_y * 4
    for row in range(rows):
        for column in range(columns):
            top, left = row * step_y, column * step_x
            part = slice(top, top + 2 * step_y), slice(left, left + 2 * step_x)
            if texture[part].sum() < least:
                continue
            surface, power = _surface(a[:, *part], b[:, *part], _REACH)
            if power <= 0:
                continue
            y, x = (int(i) for i in np.unravel_index(int(surface.argmax()), surface.shape))
            fit = float(surface[y, x]) / power
            if fit < _LEAST_BLOCK_FIT or not (0 < x < 2 * _REACH and 0 < y < 2 * _REACH):
                continue
            shift = (
                x - _REACH + _peak(surface[y, x - 1 : x + 2]),
                y - _REACH + _peak(surface[y - 1 : y + 2, x]),
            )
            centre = (left + step_x - (width - 1) / 2, top + step_y - (height - 1) / 2)
            yield centre, shift, fit, fit - float(surface[_REACH, _REACH]) / power


def _peak(values: Plane) -> float:
    """The place of the maximum of a parabola through three values, -0.5 to 0.5."""
    before, middle, after = (float(value) for value in values)
    bend = before - 2 * middle + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
