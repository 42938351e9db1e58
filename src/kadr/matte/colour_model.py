"""Learn from a frame and its matte which colours belong to the subject, and where; classify others.

A histogram over position and colour, both coarse (a bilateral grid, Chen et al. 2007), counts
pixels of the subject and all pixels. So the same green may be grass on the left and a coat on the
right.
"""

from __future__ import annotations

from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.guides.confidence import smoothstep
from kadr.matte.base import Matte

_CELLS = 24
"""Cells along the longer side."""
_LEVELS = 12
"""Bins of each colour channel."""
_PRIOR = 4.0
"""Pixels for which the colours of the whole frame count beside those of the neighbourhood."""


_AROUND, _WINDOW = 33, 61
"""Pixels: width of the band around an outline, and side of the windows, that tell how reliable
colours are there."""
_ERROR_RANGE = (0.05, 0.2)
"""Share of wrong pixels at which reliability falls from 1, and reaches 0."""


class ColourModel:
    """How often each colour is the subject's, around each place.

    decay: weight of what was learnt when another frame is added.
    """

    def __init__(self, height: int, width: int, decay: float = 0.6) -> None:
        cell = max(height, width) / _CELLS
        rows, columns = (max(1, round(side / cell)) for side in (height, width))
        y = np.minimum(np.arange(height) * rows // height, rows - 1)
        x = np.minimum(np.arange(width) * columns // width, columns - 1)
        self._place = (y[:, None] * columns + x[None, :]).astype(np.int32)
        self._shape = (rows, columns, _LEVELS, _LEVELS, _LEVELS)
        self._counts = np.zeros((2, *self._shape), np.float32)
        self._decay = decay

    def learn(self, image: Image, matte: Matte, weight: NDArray[np.float32] | None = None) -> Self:
        """Add a frame, (H, W, 3) uint8, its matte, and how much each pixel counts, 0–1."""
        index = self._index(image).ravel()
        counted = np.ones(matte.shape, np.float32) if weight is None else weight
        total = int(np.prod(self._shape))
        fresh = np.empty_like(self._counts)
        for slot, weights in enumerate((counted * matte, counted)):
            counts = np.bincount(index, weights.ravel(), minlength=total)
            fresh[slot] = _blur(counts.astype(np.float32).reshape(self._shape))
        self._counts = self._decay * self._counts + fresh
        return self

    def classify(self, image: Image) -> Matte:
        """How likely each pixel belongs to the subject, by its colour and place, (H, W) 0–1."""
        subject, total = self._counts
        overall = (subject.sum((0, 1)) + 0.5) / (total.sum((0, 1)) + 1)
        share = (subject + _PRIOR * overall) / (total + _PRIOR)
        likely: Matte = share.ravel()[self._index(image)].astype(np.float32)
        return likely

    def _index(self, image: Image) -> NDArray[np.int32]:
        levels = (image.astype(np.int32) * _LEVELS) >> 8
        colour = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
        index: NDArray[np.int32] = self._place * np.int32(_LEVELS**3) + colour
        return index


def _blur(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread counts to neighbouring cells along all axes by (1, 2, 1) / 4."""
    for axis in range(counts.ndim):
        if counts.shape[axis] < 2:
            continue
        spread = counts * np.float32(0.5)
        body = [slice(None)] * counts.ndim
        for here, there in ((slice(1, None), slice(-1)), (slice(-1), slice(1, None))):
            target, source = list(body), list(body)
            target[axis], source[axis] = here, there
            spread[tuple(target)] += np.float32(0.25) * counts[tuple(source)]
        counts = spread
    return counts


def reliability(likely: Matte, matte: Matte) -> Matte:
    """How far colours tell the subject from what is around it, at each place, (H, W) 0–1.

    likely: what was predicted for a frame by the colours of other frames. matte: what it is. Only
    the surroundings of the outline count (as for the local classifiers of Bai et al. 2009).
    """
    subject = (matte > 0.5).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_AROUND, _AROUND))
    near = (cv2.dilate(subject, disc) - cv2.erode(subject, disc)).astype(np.float32)
    wrong = np.abs((likely > 0.5) - subject.astype(np.float32)) * near
    window = (_WINDOW, _WINDOW)
    error = cv2.blur(wrong, window) / np.maximum(cv2.blur(near, window), np.float32(1e-3))
    return 1 - smoothstep(error, *_ERROR_RANGE)
