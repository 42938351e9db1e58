"""Finish frames at full size: sample the key through the enlarged fields of a pass.

A pass finds motion, confidence and matches at the work size. Brushwork has to come from the key
itself: where its positions are sure, the full-size style is sampled between pixels; elsewhere
overlapping patches of it are voted, each moved as a whole, so that strokes stay whole. Both soften
the finest strokes, so the contrast of the key is restored.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, grid, sample
from kadr.finish.fields import SURE, FrameFields
from kadr.finish.kernels import vote_rows
from kadr.guides.contrast import local_contrast, restoration_strength, restore_contrast
from kadr.guides.transport import register

_BAND = 32


class KeyFinisher:
    """A key's style at full size, from which frames of both of its passes are finished."""

    def __init__(self, style: NDArray[np.uint8], *, threads: int | None = None) -> None:
        """style: (H, W, 3 or 4) uint8."""
        self._style, self._threads = style, threads
        self._contrast: NDArray[np.float32] | None = None

    def finish(self, fields: FrameFields) -> NDArray[np.uint8]:
        """The frame of some fields of the work size, (H, W, 3 or 4) uint8."""
        height, width = self._style.shape[:2]
        size = (width, height)
        sure: NDArray[np.float32] = cv2.resize(fields.sure, size, interpolation=cv2.INTER_LINEAR)
        positions = enlarge_positions(fields.positions, size)
        output = sample(self._style, positions, interpolation=cv2.INTER_CUBIC)
        run_bands(
            lambda start, stop: vote_rows(
                self._style, fields.matches, sure, SURE, output, start, stop
            ),
            height,
            band=_BAND,
            threads=self._threads,
        )
        target_contrast = self._target_contrast(fields, size)
        return restore_contrast(
            output, target_contrast, restoration_strength(sure), threads=self._threads
        )

    def _target_contrast(self, fields: FrameFields, size: tuple[int, int]) -> NDArray[np.float32]:
        """The key's contrast where each pixel is taken from; it changes slowly over a picture."""
        height, width = fields.sure.shape
        if self._contrast is None or self._contrast.shape != (height, width):  # the same all along
            full = local_contrast(self._style)
            self._contrast = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
        taken_from = np.where((fields.sure > SURE)[..., None], fields.positions, fields.matches)
        sampled = sample(self._contrast, taken_from)
        target: NDArray[np.float32] = cv2.resize(sampled, size, interpolation=cv2.INTER_LINEAR)
        return target


def register_positions(
    positions: Field, key_gray: NDArray[np.uint8], frame_gray: NDArray[np.uint8]
) -> Field:
    """Correct positions (h, w, 2) against the frames at a larger size than that of the positions.

    key_gray, frame_gray: (H, W) uint8. What the work size cannot see of a motion, a fraction of its
    pixels, shows there as blurred or doubled strokes.
    """
    height, width = positions.shape[:2]
    larger = key_gray.shape[1], key_gray.shape[0]
    registered = register(enlarge_positions(positions, larger), key_gray, frame_gray)
    return _resize_positions(registered, (width, height), cv2.INTER_AREA)


def enlarge_positions(positions: Field, size: tuple[int, int]) -> Field:
    """Positions of the work size as positions of ``size`` (width, height), for each of its pixels.

    Their motion is interpolated, so that what moves as a whole still does, at the borders too.
    """
    return _resize_positions(positions, size, cv2.INTER_LINEAR)


def _resize_positions(positions: Field, size: tuple[int, int], interpolation: int) -> Field:
    height, width = positions.shape[:2]
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    motion = (positions - grid(height, width)) * scale
    resized: Field = cv2.resize(motion, size, interpolation=interpolation)
    return resized + grid(size[1], size[0])
