"""The guided filter (He et al. 2010): smooth a matte so that its edges are those of an image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.matte.base import Matte

_Plane = NDArray[np.float32]


def guided_filter(
    guide: Image, matte: Matte, radius: int, epsilon: float, reduce: int = 1
) -> Matte:
    """Filter a matte by an image of the same size; returns (H, W) float32, clipped to 0–1.

    In each window the result is a linear function of the guide's colours, ``a·I + b`` (eq. 19 to 21
    of the paper), with box windows of ``2·radius + 1`` pixels. epsilon: the variance of colours
    (0–1) below which a window counts as flat and is averaged. reduce: compute ``a`` and ``b`` at a
    size divided by this (He and Sun 2015).
    """
    height, width = matte.shape
    small = max(1, width // reduce), max(1, height // reduce)
    image = guide.astype(np.float32) / np.float32(255)
    colours, values = image, matte
    if reduce > 1:
        colours = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        values = cv2.resize(matte, small, interpolation=cv2.INTER_AREA)
    slope, offset = _coefficients(colours, values, max(1, round(radius / reduce)), epsilon)
    if reduce > 1:
        slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
        offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    filtered: Matte = np.einsum("ijk,ijk->ij", slope, image) + offset
    return np.clip(filtered, 0, 1, out=filtered)


def _coefficients(
    image: _Plane, values: _Plane, radius: int, epsilon: float
) -> tuple[_Plane, _Plane]:
    """The mean slopes (H, W, 3) and offsets (H, W) of all windows around each pixel."""
    mean_image, mean_values = _mean(image, radius), _mean(values, radius)
    covariance = _mean(image * values[..., None], radius) - mean_image * mean_values[..., None]
    # the upper triangle of the windows' colour covariances, with epsilon on the diagonal
    pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    products = [
        _mean(image[..., i] * image[..., j], radius) - mean_image[..., i] * mean_image[..., j]
        for i, j in pairs
    ]
    for diagonal in (0, 3, 5):
        products[diagonal] += np.float32(epsilon)
    slope = _solve(products, covariance)
    offset = mean_values - np.einsum("ijk,ijk->ij", slope, mean_image)
    return _mean(slope, radius), _mean(offset, radius)


def _solve(products: list[_Plane], covariance: _Plane) -> _Plane:
    """Solve symmetric 3×3 systems by their adjugates; the determinant is at least epsilon³."""
    rr, rg, rb, gg, gb, bb = products
    minor_rr, minor_rg, minor_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    minor_gg, minor_gb, minor_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * minor_rr + rg * minor_rg + rb * minor_rb
    r, g, b = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    slope = np.stack(
        [
            minor_rr * r + minor_rg * g + minor_rb * b,
            minor_rg * r + minor_gg * g + minor_gb * b,
            minor_rb * r + minor_gb * g + minor_bb * b,
        ],
        axis=2,
    )
    solved: _Plane = slope / determinant[..., None]
    return solved


def _mean(values: _Plane, radius: int) -> _Plane:
    side = 2 * radius + 1
    mean: _Plane = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    return mean
