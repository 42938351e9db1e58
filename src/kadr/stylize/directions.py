"""An image in, the direction in which its forms run at every pixel out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_WIDER = (4.0, 14.0)
"""Wider neighbourhoods, as multiples of sigma, for places where nothing is near."""

_NOISE = 0.6
"""Squared grey steps a pixel below which a gradient is grain or coding, not form."""


@dataclass(frozen=True, eq=False)
class Directions:
    """The smoothed structure tensor, read.

    tangent: (H, W, 2) float32 unit vectors (x, y) along edges and strands; the sign means nothing.
    anisotropy: (H, W) float32, 0 where no direction prevails, 1 where only one does.
    """

    tangent: Plane
    anisotropy: Plane


def local_directions(image: NDArray[np.uint8], sigma: float) -> Directions:
    """Directions of an (H, W, 3) uint8 image from gradients over about ``2 * sigma`` pixels.

    The structure tensor of all channels (Di Zenzo 1986), averaged as in Brox et al. 2006. Wide
    neighbourhoods are added with little weight: they decide only where nothing is near, so flat
    places follow the forms around them and not their grain.
    """
    tensor = _tensor(image)
    smooth = _trusted(_blur(tensor, sigma))
    for factor in _WIDER:
        # each wider one only settles what is left open, so it must not outweigh a clear edge
        smooth = smooth + np.float32(0.05) * _trusted(_blur(smooth, sigma * factor))
    xx, yy, xy = smooth[..., 0], smooth[..., 1], smooth[..., 2]
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    # the gradient's angle is half of this one; the tangent stands across it
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


def _trusted(tensor: Plane) -> Plane:
    """The tensor with gradients of about the noise's size scaled away."""
    trace = (tensor[..., 0] + tensor[..., 1])[..., None]
    trusted: Plane = tensor * (trace / (trace + np.float32(_NOISE)))
    return trusted


def _blur(values: Plane, sigma: float) -> Plane:
    """A Gaussian; wide ones are made on a smaller image, where they cost the same as narrow."""
    height, width = values.shape[:2]
    shrink = int(max(1, min(sigma / 2, height / 4, width / 4)))
    if shrink == 1:
        blurred: Plane = cv2.GaussianBlur(values, (0, 0), sigma)
        return blurred
    small = cv2.resize(values, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    blurred = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return blurred
