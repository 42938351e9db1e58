"""Find coherent lines along the dark side of edges, as a draughtsman would draw them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.stylize.looks.blur import enlarge_to, reduce_by
from kadr.stylize.looks.kernels.flow_lines import across_rows, along_rows
from kadr.stylize.looks.structure_tensor import local_directions

Plane = NDArray[np.float32]

_WIDER = 1.6
"""The wider Gaussian of the difference over the narrower one."""
_ALONG = 3.0
"""Sigma along the flow over the sigma across it."""
_BAND = 32


def flow_lines(image: NDArray[np.uint8], width: float, threads: int | None = None) -> Plane:
    """(H, W) float32: how many grey steps a line of this width is darker than beside it, or 0.

    A difference of two Gaussians across the local direction, averaged along it (Kang, Lee & Chui
    2007, with the smoothed structure tensor of Kyprianidis & Döllner 2008 for directions). At a
    step edge only its dark side responds. Wide lines are computed on a reduced image.

    image: (H, W, 3) uint8. width: of a line in pixels, at least 0.5.
    """
    sigma = 0.5 * width
    factor = int(max(1, sigma / 0.9))
    small = reduce_by(image, factor)
    sigma = max(0.4, sigma / factor)
    luma = cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY).astype(np.float32)
    tangent = local_directions(small, max(1.0, 1.8 * sigma), threads=threads).tangent
    step = max(1.0, 0.5 * sigma)
    reach = int(np.ceil(2.5 * _WIDER * sigma / step))
    difference = _gaussian(sigma, step, reach) - _gaussian(_WIDER * sigma, step, reach)
    along = _ALONG * max(sigma, 0.8)
    crossing, averaged = np.empty_like(luma), np.empty_like(luma)

    def cross_band(start: int, stop: int) -> None:
        across_rows(luma, tangent, difference, step, crossing, start, stop)

    def average_band(start: int, stop: int) -> None:
        weights = _gaussian(along, 1.0, int(np.ceil(2 * along)))
        along_rows(crossing, tangent, weights, 1.0, averaged, start, stop)

    run_bands(cross_band, len(luma), band=_BAND, threads=threads)
    run_bands(average_band, len(luma), band=_BAND, threads=threads)
    np.maximum(-averaged, 0, out=averaged)
    return enlarge_to(averaged, image.shape)


def _gaussian(sigma: float, step: float, reach: int) -> Plane:
    """(reach + 1,) float32 weights of a centre and of pairs beside it; they sum to 1."""
    distance = np.arange(reach + 1) * step
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    unit: Plane = weights.astype(np.float32)
    return unit
