"""Estimate the local direction of forms at every pixel of an image (structure tensor)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.stylize.looks.blur import blur, enlarge_to, reduce_by

Plane = NDArray[np.float32]

_WIDER = (4.0, 14.0)
"""Wider neighbourhoods, as multiples of sigma, for areas without gradients of their own."""

_NOISE = 0.6
"""Squared grey steps per pixel below which a gradient is grain or coding noise, not form."""

_FORM = 10.0
"""Squared grey steps per pixel at which an edge counts half as a form: skin and sky are below."""

_BAND = 64


@dataclass(frozen=True, eq=False)
class Directions:
    """Orientation, anisotropy and form of the smoothed structure tensor.

    tangent: (H, W, 2) float32 unit vectors (x, y) along edges and strands; the sign is arbitrary.
    anisotropy: (H, W) float32, 0 where no direction dominates, 1 where there is only one.
    form: (H, W) float32, 0 where the image is smooth, towards 1 at edges and strands.
    """

    tangent: Plane
    anisotropy: Plane
    form: Plane


def local_directions(
    image: NDArray[np.uint8],
    sigma: float,
    *,
    steady: float = 0.0,
    fixed: tuple[float, float] = (1.0, 0.0),
    threads: int | None = None,
) -> Directions:
    """Directions of an (H, W, 3) uint8 image from gradients over about ``2 * sigma`` pixels.

    The structure tensor of all channels (Di Zenzo 1986), averaged as in Brox et al. 2006. Wide
    neighbourhoods are added with little weight: they decide only where the narrow one has no
    clear direction, so smooth areas follow the forms around them and not their grain. Where sigma
    is several pixels, the tensor is computed on a reduced image.

    steady: squared grey steps per pixel of a direction ``fixed`` (x, y), a unit vector, that is
    added everywhere: where forms are weaker, directions turn to it smoothly.
    """
    height, width = image.shape[:2]
    factor = int(max(1, min(sigma / 2, height / 4, width / 4)))
    narrow = sigma / factor
    tensor = _tensor(reduce_by(image, factor))
    near = blur(tensor, narrow)
    smooth = _damp_weak(near)
    for multiple in _WIDER:
        # a wider neighbourhood must not outweigh a clear edge in a narrower one
        smooth = smooth + np.float32(0.05) * _damp_noise(blur(tensor, narrow * multiple))
    if steady > 0:
        x, y = fixed
        # gradients are perpendicular to the direction
        smooth = smooth + np.float32(steady) * np.array([y * y, x * x, -x * y], np.float32)
    form = _trace(blur(near, 1.5 * narrow))
    form = form / (form + np.float32(_FORM))
    return _directions(np.concatenate([smooth, form], axis=2), (height, width), threads)


def _directions(tensor: Plane, size: tuple[int, int], threads: int | None) -> Directions:
    """Directions at ``size`` (H, W) of a tensor and form, (h, w, 4) float32."""
    tensor = enlarge_to(tensor, size)
    tangent = np.empty((*size, 2), np.float32)
    anisotropy, form = np.empty(size, np.float32), np.empty(size, np.float32)

    def direct_band(start: int, stop: int) -> None:
        rows = slice(start, stop)
        xx, yy, xy = (tensor[rows, :, channel] for channel in range(3))
        spread = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
        # the gradient has half of this angle; the tangent is perpendicular to the gradient
        angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.float32(np.pi / 2)
        tangent[rows, :, 0], tangent[rows, :, 1] = np.cos(angle), np.sin(angle)
        anisotropy[rows] = spread / (xx + yy + np.float32(1e-6))
        form[rows] = tensor[rows, :, 3]

    run_bands(direct_band, size[0], band=_BAND, threads=threads)
    return Directions(tangent, anisotropy, form)


def _tensor(image: NDArray[np.uint8]) -> Plane:
    """(H, W, 3) float32: xx, yy and xy of the gradient, summed over channels."""
    values = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.8)
    gx = cv2.Scharr(values, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(values, cv2.CV_32F, 0, 1, scale=1 / 32)
    products = [np.einsum("ijk,ijk->ij", a, b) for a, b in ((gx, gx), (gy, gy), (gx, gy))]
    return np.stack(products, axis=2)


def _trace(tensor: Plane) -> Plane:
    trace: Plane = (tensor[..., 0] + tensor[..., 1])[..., None]
    return trace


def _damp_noise(tensor: Plane) -> Plane:
    """Scale gradients of about the size of noise down."""
    trace = _trace(tensor)
    damped: Plane = tensor * (trace / (trace + np.float32(_NOISE)))
    return damped


def _damp_weak(tensor: Plane) -> Plane:
    """Scale gradients down that are weak, or that have no common direction: texture of skin."""
    trace = _trace(tensor)
    spread = np.sqrt((tensor[..., 0] - tensor[..., 1]) ** 2 + 4 * tensor[..., 2] ** 2)[..., None]
    coherence = spread / (trace + np.float32(1e-6))
    damped: Plane = tensor * coherence * (trace / (trace + np.float32(0.5 * _FORM)))
    return damped
