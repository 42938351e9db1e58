"""Blend images by weights, band by band of a Laplacian pyramid, without visible seams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.blend.kernels import add_band_rows, mix_rows
from kadr.core.enlarge import enlarge_rows
from kadr.core.row_bands import run_bands

Plane = NDArray[np.float32]
Image = NDArray[np.uint8]

_LEVELS = 5
_TEXTURE_BANDS = 3
"""Number of bands, from the finest, that contain texture and whose contrast is preserved."""
_MAX_GAIN = 1.6
"""Largest factor by which the contrast of a band is raised."""
_BOX = (9, 9)
_MARGIN = 4
"""Rows above and below a pixel that count for the contrast around it: half of the box."""
_ROWS = 64
"""Rows that are mixed at once: a few arrays of so many rows of a large frame fit into the cache."""


def blend_images(
    images: Sequence[Image], weights: Sequence[Plane], *, threads: int | None = None
) -> Image:
    """Blend images (H, W, C) by weights that sum to 1: colour over wide areas, texture locally.

    weights: (H, W) float32, or smaller, which are enlarged smoothly.
    Laplacian pyramid (Burt & Adelson 1983). The mean of two different textures has less contrast
    than each of them: there the contrast of the band is raised to the weighted mean of theirs.
    Where the textures agree nothing changes.
    """
    if len(images) == 1:
        return images[0]
    level_weights = np.stack(list(weights))
    levels: list[tuple[list[Image], Plane]] = []
    level = [np.ascontiguousarray(_channels(image)) for image in images]
    while len(levels) < _LEVELS - 1 and min(level[0].shape[:2]) >= 8:
        levels.append((level, level_weights))
        level = [_channels(cv2.pyrDown(image)) for image in level]
        level_weights = _coarser_weights(level_weights, level[0].shape)
    height, width = level[0].shape[:2]
    shares = enlarge_rows(level_weights, (width, height), 0, height)[..., None]
    mix: NDArray[Any] = (np.stack(level) * shares).sum(axis=0, dtype=np.float32)
    coarser = level
    for number in range(len(levels) - 1, -1, -1):
        level, level_weights = levels.pop()
        max_gain = _MAX_GAIN if number < _TEXTURE_BANDS else 1.0
        mix = _add_band(mix, level, coarser, level_weights, max_gain, number == 0, threads)
        coarser = level
    rounded: Image = mix if mix.dtype == np.uint8 else _round(mix)
    return rounded.reshape(images[0].shape)


def _coarser_weights(weights: Plane, shape: tuple[int, ...]) -> Plane:
    """Weights for the next level, of ``shape``; those that are smaller still stay as they are."""
    if weights.shape[1] <= shape[0] and weights.shape[2] <= shape[1]:
        return weights
    size = 2 * shape[1], 2 * shape[0]
    return np.stack([cv2.pyrDown(_enlarge(weight, size)) for weight in weights])


def _enlarge(weight: Plane, size: tuple[int, int]) -> Plane:
    height, width = weight.shape
    if (width + 1) // 2 == size[0] // 2 and (height + 1) // 2 == size[1] // 2:
        return weight
    enlarged: Plane = cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)
    return enlarged


def _add_band(
    mix: NDArray[Any],
    images: Sequence[Image],
    coarser: Sequence[Image],
    weights: Plane,
    max_gain: float,
    is_finest: bool,
    threads: int | None,
) -> NDArray[Any]:
    """The mix of the next finer level: that of the coarser one plus the mixed bands of the images.

    images: (H, W, C) uint8 of the level; coarser: those of the level of ``mix``.
    The finest level is rounded to uint8.
    """
    height, width, channel_count = images[0].shape
    channels = tuple(range(channel_count))
    output = np.empty(images[0].shape, np.uint8 if is_finest else np.float32)

    def add_rows(start: int, stop: int) -> None:
        first, last = max(start - _MARGIN, 0), min(stop + _MARGIN, height)
        rows = np.stack([image[first:last] for image in images])
        coarse = np.stack(
            [_enlarged_rows(image, images[0].shape, first, last) for image in coarser]
        )
        row_weights = enlarge_rows(weights, (width, height), first, last)
        band = np.empty(rows.shape[1:], np.float32)
        energies = np.empty((2, last - first, width), np.float32)
        flat = (*rows.shape[:2], -1)
        mix_rows(
            rows.reshape(flat), coarse.reshape(flat), row_weights, channels,
            band.reshape(flat[1:]), energies[0], energies[1],
        )  # fmt: skip
        if max_gain > 1:
            energies = np.stack([cv2.blur(energy, _BOX) for energy in energies])
        inner = slice(start - first, stop - first)
        image = _enlarged_rows(mix, images[0].shape, start, stop)
        added = image if is_finest else output[start:stop]
        add_band_rows(
            image, band[inner], energies[0, inner], energies[1, inner], max_gain, channels, added
        )
        if is_finest:
            output[start:stop] = _round(added)

    run_bands(add_rows, height, band=_ROWS, threads=threads)
    return output


def _enlarged_rows(coarse: NDArray[Any], shape: tuple[int, ...], start: int, stop: int) -> Plane:
    """Rows ``start`` to ``stop`` of the enlarged coarser level: those of the whole, (…, W, C)."""
    first, last = max(start // 2 - 1, 0), min((stop - 1) // 2 + 2, len(coarse))
    height = (shape[0] if last == len(coarse) else 2 * last) - 2 * first
    rows = coarse[first:last].astype(np.float32)
    enlarged: Plane = cv2.pyrUp(rows, dstsize=(shape[1], height))
    return _channels(enlarged)[start - 2 * first : stop - 2 * first]


def _round(image: Plane) -> Image:
    rounded: Image = cv2.convertScaleAbs(np.maximum(image, 0, out=image))
    return rounded.reshape(image.shape)


def _channels(image: NDArray[Any]) -> NDArray[Any]:
    """Add the channel axis that OpenCV drops if it has size 1; kernels need it."""
    return image if image.ndim == 3 else image[..., None]
