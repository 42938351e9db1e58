"""Images and weights in, one image out, joined band by band so that no seam shows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.blend.kernels import mix_rows, raise_rows
from kadr.core.row_bands import run_bands

Plane = NDArray[np.float32]

_LEVELS = 5
_FINE = 3
"""Bands, from the finest, that hold texture, whose contrast a mix must not lose."""
_MOST = 1.6
"""The most by which a band's contrast is raised."""
_BOX = (9, 9)


def blend_bands(images: Sequence[NDArray[np.uint8]], weights: Sequence[Plane]) -> NDArray[np.uint8]:
    """Mix images (H, W, C) by weights that sum to 1: colour widely, texture closely.

    weights: (H, W) float32, or smaller ones, which are enlarged smoothly.
    A Laplacian pyramid (Burt & Adelson 1983). Where two unlike textures mix, the mean of both has
    less contrast than either: there the band is raised to the contrast that the weights promise.
    Where they agree nothing is changed.
    """
    if len(images) == 1:
        return images[0]
    levels = [image.astype(np.float32) for image in images]
    size = images[0].shape[1], images[0].shape[0]
    shares = np.stack(
        [cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR) for weight in weights]
    )
    mixes: list[tuple[Plane, Plane, Plane, float]] = []
    while len(mixes) < _LEVELS - 1 and min(shares.shape[1:]) >= 8:
        coarser = [cv2.pyrDown(level) for level in levels]
        bands = np.stack([_band(level, low) for level, low in zip(levels, coarser, strict=True)])
        most = _MOST if len(mixes) < _FINE else 1.0
        mixes.append((*_mix(bands, shares), most))
        levels = coarser
        shares = np.stack([cv2.pyrDown(share) for share in shares])
    image, _, _ = _mix(np.stack([_channels(level) for level in levels]), shares)
    for mixed, wanted, have, most in reversed(mixes):
        image = _channels(cv2.pyrUp(image, dstsize=(mixed.shape[1], mixed.shape[0])))
        if most > 1:
            wanted, have = cv2.blur(wanted, _BOX), cv2.blur(have, _BOX)
        _raise(image, mixed, wanted, have, most)
    rounded: NDArray[np.uint8] = cv2.convertScaleAbs(np.maximum(image, 0, out=image))
    return rounded.reshape(image.shape)


def _band(level: Plane, coarser: Plane) -> Plane:
    low = cv2.pyrUp(coarser, dstsize=(level.shape[1], level.shape[0]))
    return _channels(cv2.subtract(level, low))


def _channels(image: Plane) -> Plane:
    """OpenCV drops a last axis of one; kernels want it."""
    return image if image.ndim == 3 else image[..., None]


def _mix(bands: Plane, weights: Plane) -> tuple[Plane, Plane, Plane]:
    mixed: Plane = np.empty(bands.shape[1:], np.float32)
    wanted, have = np.empty(bands.shape[1:3], np.float32), np.empty(bands.shape[1:3], np.float32)
    run_bands(
        lambda start, stop: mix_rows(bands, weights, mixed, wanted, have, start, stop),
        mixed.shape[0],
        band=64,
    )
    return mixed, wanted, have


def _raise(image: Plane, mixed: Plane, wanted: Plane, have: Plane, most: float) -> None:
    run_bands(
        lambda start, stop: raise_rows(image, mixed, wanted, have, most, start, stop),
        image.shape[0],
        band=64,
    )
