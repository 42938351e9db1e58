"""Denoise an optical flow: use the smoothest flow that still explains the two frames.

Where an image is flat or blurred the flow is mostly noise: tenths of a pixel that differ in every
frame. Their sum over a pass is a drift, which makes a painted background swim.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, warp
from kadr.guides.kernels import accept_rows, rejected_rows, still_rows

_REDUCE = 2
"""The motion around a pixel is smooth, so it is computed on a field reduced by this factor."""
_NEIGHBOURHOOD = 0.02
"""Size of the neighbourhood of a pixel, as a fraction of the longer side."""
_STILL_FLOW = 0.25
"""Motion of the neighbourhood in pixels below which a pixel counts as still."""
_MOTION_NOISE = 0.15**2
"""Squared distance in pixels from the camera motion at which a sample has half the weight."""
_TEXTURE = np.float32(4e-4)
"""Smaller eigenvalue of the gradients at which a pixel has half the weight."""
_SMOOTH_LIMITS = (0.5, 1.10, 0.25)
"""Largest difference in pixels of a smoother motion (more is another motion, not noise), and the
factor and gray levels by which its error may be larger."""
_STILL_LIMITS = (0.75, 1.15, 0.35)
"""The same for no motion, which also needs a still neighbourhood."""
_BOX = (5, 5)
_BAND = 64


def denoise_flow(
    frame: NDArray[np.uint8],
    neighbour: NDArray[np.uint8],
    flow: Field,
    *,
    unit: float = 1.0,
    side: float | None = None,
) -> Field:
    """Replace the flow by a smoother one at each pixel where that explains the frames as well.

    Candidates, from lowest to highest preference: the motion of the neighbourhood, the camera
    motion (one affine map for the whole frame), and no motion where the neighbourhood is still.
    frame, neighbour: (H, W) gray uint8. flow: (H, W, 2) float32, frame → neighbour, in pixels.
    unit: how many pixels of the clip a pixel is; the limits are in pixels of the clip. side: the
    longest side of whole frames in these pixels, where ``frame`` is a window of one; None: its own.
    """
    images = (frame, neighbour)
    error, denoised = _mismatch(images, flow), flow.copy()
    around = _motion_around(frame, flow, side or max(frame.shape))
    camera = dominant_motion(flow, noise=_MOTION_NOISE / unit**2)
    for smooth in (around, camera):
        _accept(denoised, flow, smooth, images, error, _SMOOTH_LIMITS, unit)
    still = np.empty_like(flow)
    run_bands(
        lambda start, stop: still_rows(denoised, around, still, _STILL_FLOW / unit, start, stop),
        flow.shape[0],
        band=_BAND,
    )
    _accept(denoised, flow, still, images, error, _STILL_LIMITS, unit)
    return denoised


def _accept(
    denoised: Field,
    flow: Field,
    smooth: Field,
    images: Sequence[NDArray[np.uint8]],
    error: NDArray[np.float32],
    limits: tuple[float, float, float],
    unit: float,
) -> None:
    """Mix ``smooth`` into ``denoised`` where it is accepted, with soft edges that do not tear."""
    max_difference, factor, max_levels = limits
    smooth_error = _mismatch(images, smooth)
    rejected = np.empty(error.shape, np.uint8)
    run_bands(
        lambda start, stop: rejected_rows(
            flow, smooth, error, smooth_error, rejected,
            max_difference / unit, factor, max_levels, start, stop,
        ),
        flow.shape[0],
        band=_BAND,
    )  # fmt: skip
    count = cv2.boxFilter(rejected, -1, _BOX, normalize=False)
    run_bands(
        lambda start, stop: accept_rows(denoised, smooth, count, _BOX[0] * _BOX[1], start, stop),
        flow.shape[0],
        band=_BAND,
    )


def _mismatch(images: Sequence[NDArray[np.uint8]], flow: Field) -> NDArray[np.float32]:
    difference = cv2.absdiff(images[0], warp(images[1], flow))
    mismatch: NDArray[np.float32] = cv2.boxFilter(difference, cv2.CV_32F, _BOX)
    return mismatch


def dominant_motion(flow: Field, rounds: int = 10, noise: float = _MOTION_NOISE) -> Field:
    """The affine motion that most of a flow follows, (H, W, 2); robust against outliers.

    Iteratively reweighted least squares with Cauchy weights (Black & Anandan 1996), on a grid of
    samples. noise: squared distance at which a sample has half the weight in the end.
    """
    height, width = flow.shape[:2]
    step = max(1, min(height, width) // 48)
    ys, xs = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    # centred and scaled, so that the six parameters have similar magnitude
    scale = 2.0 / max(height, width)
    x, y = (xs.ravel() - width / 2) * scale, (ys.ravel() - height / 2) * scale
    basis = np.stack([np.ones(x.size), x, y], axis=1)
    values = flow[ys.ravel(), xs.ravel()].astype(np.float64)
    model = np.zeros((3, 2))
    model[0] = np.median(values, axis=0)
    for round_ in range(rounds):
        residual = np.square(values - basis @ model).sum(axis=1)
        # wide at first, then narrow: the model converges to one motion, not between two
        spread = max(float(np.median(residual)) * 0.5**round_, noise)
        weight = 1.0 / (1.0 + residual / spread)
        normal = basis.T @ (basis * weight[:, None]) + 1e-9 * np.eye(3)
        model = np.linalg.solve(normal, basis.T @ (values * weight[:, None]))
    columns = ((np.arange(width) - width / 2) * scale)[:, None] * model[1] + model[0]
    rows = ((np.arange(height) - height / 2) * scale)[:, None] * model[2]
    motion: Field = rows.astype(np.float32)[:, None] + columns.astype(np.float32)
    return motion


def _motion_around(frame: NDArray[np.uint8], flow: Field, side: float) -> Field:
    """The mean flow of the neighbourhood, weighted by texture."""
    height, width = frame.shape
    small = (max(1, width // _REDUCE), max(1, height // _REDUCE))
    corner = cv2.cornerMinEigenVal(frame, 5)
    weight = corner / (corner + _TEXTURE) + np.float32(0.02)
    x, y = cv2.split(flow)
    weighted = cv2.merge([cv2.multiply(x, weight), cv2.multiply(y, weight), weight])
    reduced = cv2.resize(weighted, small, interpolation=cv2.INTER_AREA)
    spread = cv2.GaussianBlur(reduced, (0, 0), max(1.0, _NEIGHBOURHOOD * side / _REDUCE))
    mean = spread[..., :2] / spread[..., 2:]
    around: Field = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return around
