"""Images and weights in, one image out, joined band by band so that no seam shows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_LEVELS = 5
_FINE = 3
"""Bands, from the finest, that hold texture, whose contrast a mix must not lose."""


def blend_bands(images: Sequence[NDArray[np.uint8]], weights: Sequence[Plane]) -> NDArray[np.uint8]:
    """Mix images (H, W, C) by weights (H, W) that sum to 1: colour widely, texture closely.

    A Laplacian pyramid (Burt & Adelson 1983). Where two unlike textures mix, the mean of both has
    less contrast than either: there the band is raised to the contrast that the weights promise.
    Where they agree nothing is changed.
    """
    pyramids = [_laplacian(image.astype(np.float32)) for image in images]
    shares = [_gaussian(weight) for weight in weights]
    mixed: list[Plane] = []
    for level in range(len(pyramids[0])):
        bands = [pyramid[level] for pyramid in pyramids]
        share = [weight[level][..., None] for weight in shares]
        band = sum((w * b for w, b in zip(share, bands, strict=True)), np.float32(0))
        if level < min(_FINE, len(pyramids[0]) - 1):
            band = band * _contrast_gain(bands, share, band)
        mixed.append(band)
    image = mixed[-1]
    for band in reversed(mixed[:-1]):
        image = cv2.pyrUp(image, dstsize=(band.shape[1], band.shape[0])).reshape(band.shape) + band
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _contrast_gain(bands: Sequence[Plane], share: Sequence[Plane], band: Plane) -> Plane:
    """Local factor, 1 to 1.6, that gives the mixed band the mean energy of what it mixes."""
    wanted = sum(
        (w[..., 0] * np.square(b).mean(axis=2) for w, b in zip(share, bands, strict=True)),
        np.float32(0),
    )
    box = (9, 9)
    have = cv2.blur(np.square(band).mean(axis=2), box)
    ratio = (cv2.blur(wanted, box) + np.float32(0.5)) / (have + np.float32(0.5))
    return np.sqrt(np.clip(ratio, 1.0, 2.56))[..., None]


def _gaussian(image: Plane) -> list[Plane]:
    levels = [image]
    while len(levels) < _LEVELS and min(levels[-1].shape[:2]) >= 8:
        levels.append(cv2.pyrDown(levels[-1]))
    return levels


def _laplacian(image: Plane) -> list[Plane]:
    levels = _gaussian(image)
    bands = [
        fine - cv2.pyrUp(coarse, dstsize=(fine.shape[1], fine.shape[0])).reshape(fine.shape)
        for fine, coarse in zip(levels, levels[1:], strict=False)
    ]
    return [*bands, levels[-1]]
