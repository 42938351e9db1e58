"""Estimate the local direction of forms at every pixel of an image (structure tensor)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_WIDER = (4.0, 14.0)
"""Wider neighbourhoods, as multiples of sigma, for areas without gradients of their own."""

_NOISE = 0.6
"""Squared grey steps per pixel below which a gradient is grain or coding noise, not form."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Orientation and anisotropy of the smoothed structure tensor.

    tangent: (H, W, 2) float32 unit vectors (x, y) along edges and strands; the sign is arbitrary.
    anisotropy: (H, W) float32, 0 where no direction dominates, 1 where there is only one.
    """

    tangent: Plane
    anisotropy: Plane


def local_directions(image: NDArray[np.uint8], sigma: float) -> Directions:
    """Directions of an (H, W, 3) uint8 image from gradients over about ``2 * sigma`` pixels.

    The structure tensor of all channels (Di Zenzo 1986), averaged as in Brox et al. 2006. Wide
    neighbourhoods are added with little weight: they decide only where the narrow one has no
    gradients, so flat areas follow the forms around them and not their grain.
    """
    tensor = _tensor(image)
    smooth = _damp_noise(_blur(tensor, sigma))
    for factor in _WIDER:
        # a wider neighbourhood must not outweigh a clear edge in a narrower one
        smooth = smooth + np.float32(0.05) * _damp_noise(_blur(smooth, sigma * factor))
    xx, yy, xy = smooth[..., 0], smooth[..., 1], smooth[..., 2]
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    # the gradient has half of this angle; the tangent is perpendicular to the gradient
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.float32(np.pi / 2)
    tangent = np.stack([np.cos(angle), np.sin(angle)], axis=2).astype(np.float32)
    anisotropy = (spread / (xx + yy + np.float32(1e-6))).astype(np.float32)
    return Directions(tangent, anisotropy)


def _tensor(image: NDArray[np.uint8]) -> Plane:
    """(H, W, 3) float32: xx, yy and xy of the gradient, summed over channels."""
    values = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.8)
    gx = cv2.Scharr(values, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(values, cv2.CV_32F, 0, 1, scale=1 / 32)
    products = [np.einsum("ijk,ijk->ij", a, b) for a, b in ((gx, gx), (gy, gy), (gx, gy))]
    return np.stack(products, axis=2)


def _damp_noise(tensor: Plane) -> Plane:
    """Scale gradients of about the size of noise down."""
    trace = (tensor[..., 0] + tensor[..., 1])[..., None]
    damped: Plane = tensor * (trace / (trace + np.float32(_NOISE)))
    return damped


def _blur(values: Plane, sigma: float) -> Plane:
    """A Gaussian blur; wide ones run on a reduced image, at the cost of a narrow one."""
    height, width = values.shape[:2]
    factor = int(max(1, min(sigma / 2, height / 4, width / 4)))
    if factor == 1:
        blurred: Plane = cv2.GaussianBlur(values, (0, 0), sigma)
        return blurred
    small = cv2.resize(values, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    blurred = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return blurred
