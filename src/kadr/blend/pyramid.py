"""Blend images by weights, band by band of a Laplacian pyramid, without visible seams."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.blend.kernels import add_band_rows, mix_rows
from kadr.blend.weights import enlarge_weights
from kadr.core.row_bands import run_bands

Plane = NDArray[np.float32]

_LEVELS = 5
_TEXTURE_BANDS = 3
"""Number of bands, from the finest, that contain texture and whose contrast is preserved."""
_MAX_GAIN = 1.6
"""Largest factor by which the contrast of a band is raised."""
_BOX = (9, 9)


def blend_images(
    images: Sequence[NDArray[np.uint8]], weights: Sequence[Plane]
) -> NDArray[np.uint8]:
    """Blend images (H, W, C) by weights that sum to 1: colour over wide areas, texture locally.

    weights: (H, W) float32, or smaller, which are enlarged smoothly.
    Laplacian pyramid (Burt & Adelson 1983). The mean of two different textures has less contrast
    than each of them: there the contrast of the band is raised to the weighted mean of theirs.
    Where the textures agree nothing changes.
    """
    if len(images) == 1:
        return images[0]
    levels = [image.astype(np.float32) for image in images]
    size = images[0].shape[1], images[0].shape[0]
    level_weights = enlarge_weights(weights, size)
    mixes: list[tuple[Plane, Plane, Plane, float]] = []
    while len(mixes) < _LEVELS - 1 and min(level_weights.shape[1:]) >= 8:
        coarser = [cv2.pyrDown(level) for level in levels]
        bands = np.stack(
            [_band(level, coarse) for level, coarse in zip(levels, coarser, strict=True)]
        )
        max_gain = _MAX_GAIN if len(mixes) < _TEXTURE_BANDS else 1.0
        mixes.append((*_mix_band(bands, level_weights), max_gain))
        levels = coarser
        level_weights = np.stack([cv2.pyrDown(level_weight) for level_weight in level_weights])
    image, _, _ = _mix_band(np.stack([_channels(level) for level in levels]), level_weights)
    for mixed, target_energy, mixed_energy, max_gain in reversed(mixes):
        image = _channels(cv2.pyrUp(image, dstsize=(mixed.shape[1], mixed.shape[0])))
        if max_gain > 1:
            target_energy, mixed_energy = (
                cv2.blur(target_energy, _BOX),
                cv2.blur(mixed_energy, _BOX),
            )
        _add_band(image, mixed, target_energy, mixed_energy, max_gain)
    rounded: NDArray[np.uint8] = cv2.convertScaleAbs(np.maximum(image, 0, out=image))
    return rounded.reshape(image.shape)


def _band(level: Plane, coarser: Plane) -> Plane:
    coarse = cv2.pyrUp(coarser, dstsize=(level.shape[1], level.shape[0]))
    return _channels(cv2.subtract(level, coarse))


def _channels(image: Plane) -> Plane:
    """Add the channel axis that OpenCV drops if it has size 1; kernels need it."""
    return image if image.ndim == 3 else image[..., None]


def _mix_band(bands: Plane, weights: Plane) -> tuple[Plane, Plane, Plane]:
    mixed: Plane = np.empty(bands.shape[1:], np.float32)
    target_energy, mixed_energy = (
        np.empty(bands.shape[1:3], np.float32),
        np.empty(bands.shape[1:3], np.float32),
    )
    run_bands(
        lambda start, stop: mix_rows(
            bands, weights, mixed, target_energy, mixed_energy, start, stop
        ),
        mixed.shape[0],
        band=64,
    )
    return mixed, target_energy, mixed_energy


def _add_band(
    image: Plane, mixed: Plane, target_energy: Plane, mixed_energy: Plane, max_gain: float
) -> None:
    run_bands(
        lambda start, stop: add_band_rows(
            image, mixed, target_energy, mixed_energy, max_gain, start, stop
        ),
        image.shape[0],
        band=64,
    )
