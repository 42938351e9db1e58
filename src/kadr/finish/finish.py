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

from kadr.core.cubic import CubicSampler
from kadr.core.enlarge import enlarge_rows
from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, grid, sample
from kadr.finish.fields import SURE, FrameFields
from kadr.finish.kernels import agree_rows, detail_rows, sharpen_rows, vote_rows
from kadr.guides.contrast import restoration_strength
from kadr.guides.transport import residual_correction

_BOX = (9, 9)
_MARGIN = 5
"""Rows above and below a pixel that count for its contrast: half of the box and one of detail."""
_ROWS = 64
"""Rows that are finished at once: a few arrays of so many rows of a large frame fit the cache."""
_FLOOR = 2.0
"""Mean square, in 8-bit levels, below which there is no texture to restore."""
_MAX_GAIN = 1.8

Image = NDArray[np.uint8]


class KeyFinisher:
    """A key's style at full size, from which frames of both of its passes are finished."""

    def __init__(self, style: Image, *, threads: int | None = None) -> None:
        """style: (H, W, 3 or 4) uint8."""
        self._style, self._threads = np.require(style, requirements="C"), threads
        self._channels = tuple(range(style.shape[2]))
        self._sampler = CubicSampler(self._style)
        self._contrast: NDArray[np.float32] | None = None

    def finish(self, fields: FrameFields) -> Image:
        """The frame of some fields of the work size, (H, W, 3 or 4) uint8."""
        height, width = self._style.shape[:2]
        small = fields.sure.shape
        scale = np.array([width / small[1], height / small[0]], np.float32)
        # motion is enlarged, not positions, so that what moves as a whole still does at the borders
        motion = (fields.positions - grid(*small)) * scale
        planes = np.stack([motion[..., 0], motion[..., 1], fields.sure, self._target(fields)])
        offsets = self._offsets(fields.matches - grid(*small), scale)
        output = np.empty_like(self._style)

        def finish_rows(start: int, stop: int) -> None:
            first, last = max(start - _MARGIN, 0), min(stop + _MARGIN, height)
            x, y, sure, target = enlarge_rows(planes, (width, height), first, last)
            x += np.arange(width, dtype=np.float32)
            y += np.arange(first, last, dtype=np.float32)[:, None]
            rows = np.empty((last - first, width, len(self._channels)), np.uint8)
            self._sampler.sample(x, y, sure, rows)
            vote_rows(self._sampler.pixels, offsets, sure, SURE, self._channels, rows, first)
            detail, contrast = self._detail(rows)
            inner = slice(start - first, stop - first)
            sharpen_rows(
                _flat(rows[inner]), detail[inner], contrast[inner], target[inner],
                restoration_strength(sure[inner]), _FLOOR, _MAX_GAIN, self._channels,
                _flat(output[start:stop]),
            )  # fmt: skip

        run_bands(finish_rows, height, band=_ROWS, threads=self._threads)
        return output

    def _offsets(self, motion: Field, scale: NDArray[np.float32]) -> NDArray[np.int32]:
        """From each work pixel to the key, in whole pixels of the full size, (h, w, 2)."""
        agreed = np.empty_like(motion)
        run_bands(
            lambda start, stop: agree_rows(motion, agreed, start, stop),
            len(motion),
            band=_ROWS,
            threads=self._threads,
        )
        offsets: NDArray[np.int32] = np.rint(agreed * scale).astype(np.int32)
        return offsets

    def _target(self, fields: FrameFields) -> NDArray[np.float32]:
        """The key's contrast where each pixel is taken from; it changes slowly over a picture."""
        height, width = fields.sure.shape
        if self._contrast is None or self._contrast.shape != (height, width):  # the same all along
            full = self._style_contrast()
            self._contrast = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
        taken_from = np.where((fields.sure > SURE)[..., None], fields.positions, fields.matches)
        return sample(self._contrast, taken_from)

    def _style_contrast(self) -> NDArray[np.float32]:
        """The key's local mean square of the finest detail, (H, W) float32."""
        height = len(self._style)
        contrast = np.empty(self._style.shape[:2], np.float32)

        def measure_rows(start: int, stop: int) -> None:
            first, last = max(start - _MARGIN, 0), min(stop + _MARGIN, height)
            _, rows = self._detail(self._style[first:last])
            contrast[start:stop] = rows[start - first : stop - first]

        run_bands(measure_rows, height, band=_ROWS, threads=self._threads)
        return contrast

    def _detail(self, rows: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The finest detail of rows, (H, W · C), and its local mean square, (H, W); float32."""
        flat = _flat(rows)
        detail = np.empty(flat.shape, np.float32)
        square = np.empty(rows.shape[:2], np.float32)
        detail_rows(flat, self._channels, detail, square)
        return detail, cv2.blur(square, _BOX)


def _flat(rows: Image) -> Image:
    return rows.reshape(len(rows), -1)


def register_positions(
    positions: Field, key_gray: NDArray[np.uint8], frame_gray: NDArray[np.uint8]
) -> Field:
    """Correct positions (h, w, 2) against the frames at a larger size than that of the positions.

    key_gray, frame_gray: (H, W) uint8. What the work size cannot see of a motion, a fraction of its
    pixels, shows there as blurred or doubled strokes.
    """
    height, width = positions.shape[:2]
    larger = key_gray.shape[1], key_gray.shape[0]
    correction = residual_correction(enlarge_positions(positions, larger), key_gray, frame_gray)
    registered: Field = cv2.resize(correction, (width, height), interpolation=cv2.INTER_LINEAR)
    registered *= np.array([width / larger[0], height / larger[1]], np.float32)
    registered += positions
    return registered


def enlarge_positions(positions: Field, size: tuple[int, int]) -> Field:
    """Positions of the work size as positions of ``size`` (width, height), for each of its pixels.

    Their motion is interpolated, so that what moves as a whole still does, at the borders too.
    """
    return _resize_positions(positions, size, cv2.INTER_LINEAR)


def reduce_positions(positions: Field, size: tuple[int, int]) -> Field:
    """The same for a smaller ``size``: motion is averaged over areas."""
    return _resize_positions(positions, size, cv2.INTER_AREA)


def _resize_positions(positions: Field, size: tuple[int, int], interpolation: int) -> Field:
    height, width = positions.shape[:2]
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    motion = (positions - grid(height, width)) * scale
    resized: Field = cv2.resize(motion, size, interpolation=interpolation)
    return resized + grid(size[1], size[0])
