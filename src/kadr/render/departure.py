"""A key and its filmed frame in, how long an outline the key has that the film has not out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.resize import shrink_to_side
from kadr.core.warp import grid, sample

_SIDE = 256
"""Longest side in pixels at which images are compared."""
_SMOOTH = 1.5
_NEAR, _AWAY = 3, 8
"""Pixels within which an edge of the film is the outline's, as far as painters are exact; and up to
which those beside it count, to compare with."""
_WINDOW = (15, 15)
"""Over which edges along an outline are averaged."""
_FAINT = 2.0
"""Levels a pixel below which an edge is noise."""
_ABOVE = 1.35
"""How much stronger than those beside it an edge is that an outline follows."""
_STRONG, _STRONGEST = 12.0, 0.4
"""Levels a pixel of an outline within an opaque key; and its share of the strongest ones."""
_BORDER = 4
_CUT_LENGTH, _DRAWN_LENGTH = 0.45, 0.95
"""Lengths from which outlines count, as a share of the longest side: of alpha, and of strokes in an
opaque key, which has many that mean nothing."""

_Plane = NDArray[np.float32]


def outline_departs(key: Image, filmed: Image) -> bool:
    """Whether a key clearly has an outline where its filmed frame has no edge.

    key: (H, W, 3 or 4) uint8; with alpha, the outline is that of alpha. filmed: (H, W, 3) uint8.
    Where both sides of an outline have edges everywhere, it cannot be told.
    """
    cut_out = key.shape[2] == 4 and bool(key[..., 3].min() < 255)
    outline, normal = _alpha_outline(key) if cut_out else _drawn_outline(key)
    inner = np.zeros_like(outline)
    inner[_BORDER:-_BORDER, _BORDER:-_BORDER] = True
    outline &= inner
    absent = outline & _without_edge(outline, normal, _gradients(filmed))
    length = (_CUT_LENGTH if cut_out else _DRAWN_LENGTH) * max(outline.shape)
    return bool(_longest(absent) >= length)


def _alpha_outline(key: Image) -> tuple[NDArray[np.bool_], _Plane]:
    alpha = _small(np.ascontiguousarray(key[..., 3]))
    visible = (alpha > 127).astype(np.uint8)
    outline = (visible - cv2.erode(visible, np.ones((3, 3), np.uint8))) > 0
    x, y = _sobel(alpha)
    return outline, _unit(x, y)


def _drawn_outline(key: Image) -> tuple[NDArray[np.bool_], _Plane]:
    x, y = _sobel(_small(cv2.cvtColor(np.ascontiguousarray(key[..., :3]), cv2.COLOR_RGB2GRAY)))
    strength = np.hypot(x, y)
    normal = _unit(x, y)
    own = grid(*strength.shape)
    # the crest of the gradient: a line of about a pixel
    crest = (strength >= sample(strength, own + normal)) & (
        strength >= sample(strength, own - normal)
    )
    limit = max(_STRONG, _STRONGEST * float(np.quantile(strength, 0.995)))
    return crest & (strength >= limit), normal


def _gradients(filmed: Image) -> list[tuple[_Plane, _Plane]]:
    """Of each channel."""
    return [_sobel(_small(np.ascontiguousarray(filmed[..., c]))) for c in range(3)]


def _without_edge(
    outline: NDArray[np.bool_], normal: _Plane, gradients: list[tuple[_Plane, _Plane]]
) -> NDArray[np.bool_]:
    """(h, w) bool, where the film has no edge along an outline, or no stronger than beside it."""
    own = grid(*outline.shape)
    across = {}
    for offset in range(-_AWAY, _AWAY + 1):
        positions = own + np.float32(offset) * normal
        across[offset] = np.max(
            [
                np.abs(
                    sample(x, positions) * normal[..., 0] + sample(y, positions) * normal[..., 1]
                )
                for x, y in gradients
            ],
            axis=0,
        )
    near = _strongest(across, range(-_NEAR, _NEAR + 1))
    before = _strongest(across, range(-_AWAY, -_NEAR - 1))
    after = _strongest(across, range(_NEAR + 2, _AWAY + 1))
    weight = outline.astype(np.float32)
    count = np.maximum(cv2.blur(weight, _WINDOW), np.float32(1e-6))
    at, beside = (
        cv2.blur(weight * plane, _WINDOW) / count for plane in (near, np.maximum(before, after))
    )
    absent: NDArray[np.bool_] = (at < _FAINT) | (at < _ABOVE * beside)
    return absent


def _strongest(across: dict[int, _Plane], offsets: range) -> _Plane:
    strongest: _Plane = np.max([across[offset] for offset in offsets], axis=0)
    return strongest


def _longest(lines: NDArray[np.bool_]) -> int:
    """Pixels of the largest connected part of lines that are a pixel wide."""
    joined = cv2.dilate(lines.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    return int(np.bincount(labels[lines], minlength=count)[1:].max(initial=0))


def _small(plane: NDArray[np.uint8]) -> _Plane:
    small = shrink_to_side(plane, _SIDE).astype(np.float32)
    smooth: _Plane = cv2.GaussianBlur(small, (0, 0), _SMOOTH)
    return smooth


def _sobel(plane: _Plane) -> tuple[_Plane, _Plane]:
    """x and y of the gradient, in levels a pixel."""
    return (
        cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=1 / 8),
    )


def _unit(x: _Plane, y: _Plane) -> _Plane:
    length = np.maximum(np.hypot(x, y), np.float32(1e-6))
    unit: _Plane = np.dstack([x / length, y / length])
    return unit
