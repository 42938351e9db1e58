"""Denoise an optical flow: use the smoothest flow that still explains the two frames.

Where an image is flat or blurred the flow is mostly noise: tenths of a pixel that differ in every
frame. Their sum over a pass is a drift, which makes a painted background swim.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field, Scalar, warp

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


def denoise_flow(frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], flow: Field) -> Field:
    """Replace the flow by a smoother one at each pixel where that explains the frames as well.

    Candidates, from lowest to highest preference: the motion of the neighbourhood, the camera
    motion (one affine map for the whole frame), and no motion where the neighbourhood is still.
    frame, neighbour: (H, W) gray uint8. flow: (H, W, 2) float32, frame → neighbour, in pixels.
    """
    height, width = frame.shape
    half_size = (
        max(1, (width + 1) // 2),
        max(1, (height + 1) // 2),
    )  # half size is enough to compare
    scale = np.array([half_size[0] / width, half_size[1] / height], np.float32)
    images = [_shrink(image, half_size) for image in (frame, neighbour)]
    half = _shrink(flow, half_size)
    error = _mismatch(images, half * scale)
    around = _motion_around(images[0], half)
    camera = dominant_motion(half)
    is_still = np.abs(around).max(axis=2) < _STILL_FLOW
    own_weight, smooth_sum = np.ones((*half.shape[:2], 1), np.float32), np.zeros_like(half)

    def apply(smooth: Field, limits: tuple[float, float, float]) -> None:
        share = _smooth_share(half, smooth, images, error, scale, limits)
        np.multiply(own_weight, 1 - share, out=own_weight)
        np.add(smooth_sum, share * (smooth - smooth_sum), out=smooth_sum)

    apply(around, _SMOOTH_LIMITS)
    apply(camera, _SMOOTH_LIMITS)
    apply((own_weight * half + smooth_sum) * ~is_still[..., None], _STILL_LIMITS)
    # added only here, so that the flow is exactly zero where nothing moves
    full_weight: NDArray[np.float32] = cv2.resize(own_weight, (width, height))
    smooth_part: Field = cv2.resize(smooth_sum, (width, height))
    return flow * full_weight[..., None] + smooth_part


def _shrink(image: NDArray[Scalar], size: tuple[int, int]) -> NDArray[Scalar]:
    reduced: NDArray[Scalar] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def _smooth_share(
    flow: Field,
    smooth: Field,
    images: Sequence[NDArray[np.uint8]],
    error: NDArray[np.float32],
    scale: NDArray[np.float32],
    limits: tuple[float, float, float],
) -> NDArray[np.float32]:
    """(H, W, 1): 1 where the smoother flow is accepted, with soft edges that do not tear."""
    max_difference, factor, max_levels = limits
    fits = _mismatch(images, smooth * scale) <= error * np.float32(factor) + np.float32(max_levels)
    fits &= np.abs(smooth - flow).max(axis=2) < max_difference
    rejected: NDArray[np.float32] = cv2.blur((~fits).astype(np.float32), (5, 5))
    return (1 - np.minimum(rejected * 2, 1))[..., None]


def _mismatch(images: Sequence[NDArray[np.uint8]], flow: Field) -> NDArray[np.float32]:
    pulled = warp(images[1], flow)
    mismatch: NDArray[np.float32] = cv2.blur(
        cv2.absdiff(images[0], pulled).astype(np.float32), (5, 5)
    )
    return mismatch


def dominant_motion(flow: Field, rounds: int = 10) -> Field:
    """The affine motion that most of a flow follows, (H, W, 2); robust against outliers.

    Iteratively reweighted least squares with Cauchy weights (Black & Anandan 1996), on a grid of
    samples.
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
        spread = max(float(np.median(residual)) * 0.5**round_, _MOTION_NOISE)
        weight = 1.0 / (1.0 + residual / spread)
        normal = basis.T @ (basis * weight[:, None]) + 1e-9 * np.eye(3)
        model = np.linalg.solve(normal, basis.T @ (values * weight[:, None]))
    columns = (np.arange(width) - width / 2) * scale
    rows = (np.arange(height) - height / 2) * scale
    motion: NDArray[np.float64]
    motion = model[0] + columns[None, :, None] * model[1] + rows[:, None, None] * model[2]
    return motion.astype(np.float32)


def _motion_around(frame: NDArray[np.uint8], flow: Field) -> Field:
    """The mean flow of the neighbourhood, weighted by texture."""
    height, width = frame.shape
    small = (max(1, width // _REDUCE), max(1, height // _REDUCE))
    corner = cv2.cornerMinEigenVal(frame, 5)
    weight = corner / (corner + _TEXTURE) + np.float32(0.02)
    weighted = np.dstack([flow * weight[..., None], weight])
    reduced = _shrink(weighted, small)
    spread = cv2.GaussianBlur(
        reduced, (0, 0), max(1.0, _NEIGHBOURHOOD * max(height, width) / _REDUCE)
    )
    mean = spread[..., :2] / spread[..., 2:]
    around: Field = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return around
