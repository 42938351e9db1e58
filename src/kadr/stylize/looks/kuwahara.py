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
    points, weights, angular = _ray_taps(radius)
    # an ellipse reaches 1 + anisotropy radii, and a pixel further for rounding
    margin = int(np.ceil(radius * (1 + anisotropy))) + 2
    padded = _pad_with_squares(image, margin, spacing=radius / _rings(radius))
    out = np.empty(image.shape, np.float32)

    def filter_band(start: int, stop: int) -> None:
        kuwahara_rows(
            padded,
            directions.tangent,
            directions.anisotropy,
            points,
            weights,
            angular,
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


def _ray_taps(radius: float) -> tuple[Plane, Plane, tuple[float, float]]:
    """Points of half of the rays, weights of rings and centre, and weights of rays in a sector.

    Sixteen rays, of which four lie in each sector: neighbouring sectors overlap by half with cos²
    weights, so the weights of each point over all sectors have a constant sum. Those of a sector
    sum to 1.
    """
    rings = _rings(radius)
    distance = (np.arange(rings) + 0.75) / (rings + 0.25)
    angles = (np.arange(_SECTORS) + 0.5) * np.pi / 8
    points = distance[None, :, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None]
    # a point of an outer ring covers more area, but its weight falls with the distance
    weights = np.append(distance * np.exp(-1.5 * distance**2), 0.5 / (8 * rings * rings))
    inner, outer = float(np.cos(np.pi / 8) ** 2), float(np.sin(np.pi / 8) ** 2)
    weights /= 2 * (inner + outer) * weights[:-1].sum() + weights[-1]
    return points.astype(np.float32), weights.astype(np.float32), (inner, outer)


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
