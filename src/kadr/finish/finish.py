"""Finish frames at full size: sample the key through the enlarged fields of a pass.

A pass finds motion, confidence and matches at the work size. Brushwork has to come from the key
itself: where the confidence is high, the full-size style is sampled between pixels through the
enlarged transport; elsewhere overlapping patches of it are voted, each moved as a whole, so that
strokes stay whole. Both soften the finest strokes, so the contrast of the key is restored.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, sample
from kadr.finish.fields import CONFIDENT, PassFields
from kadr.finish.kernels import vote_rows
from kadr.guides.contrast import local_contrast, restore_contrast

_VOTED_STRENGTH = np.float32(1.35)
"""Strength of the contrast restoration for voted pixels; warped pixels lose less contrast."""
_BAND = 32


class KeyFinisher:
    """A key's style at full size, from which frames of both of its passes are finished."""

    def __init__(self, style: NDArray[np.uint8], *, threads: int | None = None) -> None:
        """style: (H, W, 3 or 4) uint8."""
        self._style, self._threads = style, threads
        self._contrast = local_contrast(style)

    def finish(self, fields: PassFields) -> NDArray[np.uint8]:
        """The frame of some fields, (H, W, 3 or 4) uint8; the fields may have a smaller size."""
        height, width = self._style.shape[:2]
        size = (width, height)
        confidence = cv2.resize(fields.confidence, size, interpolation=cv2.INTER_LINEAR)
        transport = _enlarge(fields.transport, size)
        output = sample(self._style, transport, interpolation=cv2.INTER_CUBIC)
        scale = max(width / fields.confidence.shape[1], 1.0)
        radius = 2 if scale < 1.5 else 1  # patches of about the same size in the key
        run_bands(
            lambda start, stop: vote_rows(
                self._style, fields.nnf, confidence, CONFIDENT, radius, output, start, stop
            ),
            height,
            band=_BAND,
            threads=self._threads,
        )
        strength = _VOTED_STRENGTH - (_VOTED_STRENGTH - np.float32(1)) * confidence
        return restore_contrast(output, self._target_contrast(fields, size), strength)

    def _target_contrast(
        self, fields: PassFields, size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """The key's contrast where each pixel is taken from; it changes slowly over a picture."""
        small_size = fields.confidence.shape[::-1]
        small = cv2.resize(self._contrast, small_size, interpolation=cv2.INTER_AREA)
        sampled = sample(small, fields.nnf)
        target: NDArray[np.float32] = cv2.resize(sampled, size, interpolation=cv2.INTER_LINEAR)
        return target


def _enlarge(positions: Field, size: tuple[int, int]) -> Field:
    """Positions at the work size as positions at ``size`` (width, height)."""
    height, width = positions.shape[:2]
    if (width, height) == size:
        return positions
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    centers = (positions + np.float32(0.5)) * scale - np.float32(0.5)
    enlarged: Field = cv2.resize(centers, size, interpolation=cv2.INTER_LINEAR)
    return enlarged
