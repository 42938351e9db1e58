"""Flatten an image into clean-edged areas of colour that follow its local directions."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.stylize.looks.kernels.kuwahara import kuwahara_rows
from kadr.stylize.looks.structure_tensor import Directions

Plane = NDArray[np.float32]

_SECTORS = 8
_BAND = 16


def kuwahara(
    image: NDArray[np.uint8],
    directions: Directions,
    radius: float,
    *,
    sharpness: float = 8.0,
    anisotropy: float = 1.0,
    threads: int | None = None,
) -> Plane:
    """Anisotropic Kuwahara filter of (H, W, 3) uint8; returns (H, W, 3) float32 in 0–255.

    A weighted mean of the means of eight sectors of an ellipse along the local direction. A sector
    with a high variance has a low weight, so that no mean reaches over an edge (Kyprianidis, Kang &
    Döllner 2009). The ellipse is sampled at fixed points of the unit disc, whose sector weights are
    constants: the cost per pixel does not grow with the radius.

    radius: of the disc in pixels, at least 1.
    sharpness: exponent on the spread; 0 averages all sectors equally, 8 and more keeps edges hard.
    anisotropy: how far the ellipse is stretched; 0 is a circle.
    """
    taps = _sector_taps(radius)
    # an ellipse reaches 1 + anisotropy radii, and a pixel further for rounding
    margin = int(np.ceil(radius * (1 + anisotropy))) + 2
    padded = _pad_with_squares(image, margin, spacing=radius / _rings(radius))
    out = np.empty(image.shape, np.float32)

    def filter_band(start: int, stop: int) -> None:
        kuwahara_rows(
            padded,
            directions.tangent,
            directions.anisotropy,
            taps,
            margin,
            radius,
            anisotropy,
            sharpness,
            out,
            start,
            stop,
        )

    run_bands(filter_band, image.shape[0], band=_BAND, threads=threads)
    return out


def _rings(radius: float) -> int:
    return int(np.clip(round(radius), 2, 5))


def _sector_taps(radius: float) -> Plane:
    """(8, T, 3) float32: x and y on the unit disc and weight, weights of a sector summing to 1.

    A polar grid, the same in every sector. Neighbouring sectors overlap by half with cos² weights,
    so the weights of each point over all sectors have a constant sum.
    """
    rings = _rings(radius)
    offsets = (np.arange(4) - 1.5) * np.pi / 8
    taps = np.zeros((_SECTORS, 4 * rings + 1, 3))
    for sector in range(_SECTORS):
        taps[sector, 0, 2] = 0.5 / (8 * rings * rings)
        for ring in range(rings):
            distance = (ring + 0.75) / (rings + 0.25)
            rows = slice(1 + 4 * ring, 5 + 4 * ring)
            angles = sector * np.pi / 4 + offsets
            taps[sector, rows, 0] = distance * np.cos(angles)
            taps[sector, rows, 1] = distance * np.sin(angles)
            # a point of an outer ring covers more area, but its weight falls with the distance
            taps[sector, rows, 2] = np.cos(2 * offsets) ** 2 * distance * np.exp(-1.5 * distance**2)
    taps[..., 2] /= taps[..., 2].sum(axis=1, keepdims=True)
    return taps.astype(np.float32)


def _pad_with_squares(image: NDArray[np.uint8], margin: int, spacing: float) -> Plane:
    """(H + 2 margin, W + 2 margin, 4) float32: the mirrored image and its squared length.

    If the sample points are far apart, the image is smoothed first: fine grain would alias.
    """
    values = image.astype(np.float32)
    if spacing > 1.5:
        values = cv2.GaussianBlur(values, (0, 0), 0.4 * spacing)
    padded = np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    squares = np.einsum("ijk,ijk->ij", padded, padded)[..., None]
    return np.concatenate([padded, squares], axis=2)
