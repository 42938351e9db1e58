"""A noisy flow in, the calmest flow that explains the two frames as well out.

Where a picture is flat or blurred the flow is mostly noise: tenths of a pixel, other ones in every
frame. Summed over a pass it drifts, and drift is what makes a painted background swim.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field, Scalar, warp

_REDUCE = 2
"""The motion around a pixel is wide and smooth, so it is found on a smaller field."""
_REACH = 0.02
"""Of the longer side: how far around a pixel the motion that others have is asked."""
_STANDS = 0.25
"""Pixels of motion around, below which a place stands still."""
_AGREES = 0.15**2
"""Squared pixels by which a flow may miss the camera's motion and still half count as it."""
_TEXTURE = np.float32(4e-4)
"""Smaller eigenvalue of the gradients at which a pixel's own flow is half trusted."""
_CALMER = (0.5, 1.10, 0.25)
"""Pixels by which a calmer motion may differ (more is another motion, not noise), and the factor
and grey levels by which it may fit worse."""
_STILL = (0.75, 1.15, 0.35)
"""The same for standing still, for which the motion around bears witness too."""


def denoise_flow(frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], flow: Field) -> Field:
    """Replace the flow by a calmer one, pixel by pixel, where that fits the frames as well.

    Calmer are, each preferred to the one before: the motion around the pixel, the camera's motion
    (one affine map for the whole frame), and standing still where nothing around moves.
    frame, neighbour: (H, W) gray uint8. flow: (H, W, 2) float32, frame → neighbour, in pixels.
    """
    height, width = frame.shape
    small = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))  # what fits shows at half size
    scale = np.array([small[0] / width, small[1] / height], np.float32)
    images = [_shrunk(image, small) for image in (frame, neighbour)]
    half = _shrunk(flow, small)
    error = _mismatch(images, half * scale)
    around = _motion_around(images[0], half)
    camera = dominant_motion(half)
    stands = np.abs(around).max(axis=2) < _STANDS
    own, rest = np.ones((*half.shape[:2], 1), np.float32), np.zeros_like(half)

    def prefer(calm: Field, slack: tuple[float, float, float]) -> None:
        share = _share(half, calm, images, error, scale, slack)
        np.multiply(own, 1 - share, out=own)
        np.add(rest, share * (calm - rest), out=rest)

    prefer(around, _CALMER)
    prefer(camera, _CALMER)
    prefer((own * half + rest) * ~stands[..., None], _STILL)
    # kept apart up to here, so that where nothing moves the flow is zero to the last bit
    kept: NDArray[np.float32] = cv2.resize(own, (width, height))
    calmed: Field = cv2.resize(rest, (width, height))
    return flow * kept[..., None] + calmed


def _shrunk(image: NDArray[Scalar], size: tuple[int, int]) -> NDArray[Scalar]:
    shrunk: NDArray[Scalar] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return shrunk


def _share(
    flow: Field,
    calm: Field,
    images: Sequence[NDArray[np.uint8]],
    error: NDArray[np.float32],
    scale: NDArray[np.float32],
    slack: tuple[float, float, float],
) -> NDArray[np.float32]:
    """(H, W, 1): 1 where the calmer flow may stand, with soft edges, which do not tear."""
    apart, factor, level = slack
    fits = _mismatch(images, calm * scale) <= error * np.float32(factor) + np.float32(level)
    fits &= np.abs(calm - flow).max(axis=2) < apart
    refused: NDArray[np.float32] = cv2.blur((~fits).astype(np.float32), (5, 5))
    return (1 - np.minimum(refused * 2, 1))[..., None]


def _mismatch(images: Sequence[NDArray[np.uint8]], flow: Field) -> NDArray[np.float32]:
    pulled = warp(images[1], flow)
    mismatch: NDArray[np.float32] = cv2.blur(
        cv2.absdiff(images[0], pulled).astype(np.float32), (5, 5)
    )
    return mismatch


def dominant_motion(flow: Field, rounds: int = 10) -> Field:
    """The affine motion that most of a flow follows, (H, W, 2); outliers lose their say.

    Least squares with Cauchy weights, reweighted (Black & Anandan 1996), on a grid of samples.
    """
    height, width = flow.shape[:2]
    step = max(1, min(height, width) // 48)
    ys, xs = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    # centred and scaled, so that the six numbers are of one size
    scale = 2.0 / max(height, width)
    x, y = (xs.ravel() - width / 2) * scale, (ys.ravel() - height / 2) * scale
    basis = np.stack([np.ones(x.size), x, y], axis=1)
    values = flow[ys.ravel(), xs.ravel()].astype(np.float64)
    model = np.zeros((3, 2))
    model[0] = np.median(values, axis=0)
    for round_ in range(rounds):
        residual = np.square(values - basis @ model).sum(axis=1)
        # wide at first, then narrow: the model settles on one motion, not between two
        spread = max(float(np.median(residual)) * 0.5**round_, _AGREES)
        weight = 1.0 / (1.0 + residual / spread)
        normal = basis.T @ (basis * weight[:, None]) + 1e-9 * np.eye(3)
        model = np.linalg.solve(normal, basis.T @ (values * weight[:, None]))
    columns = (np.arange(width) - width / 2) * scale
    rows = (np.arange(height) - height / 2) * scale
    motion: NDArray[np.float64]
    motion = model[0] + columns[None, :, None] * model[1] + rows[:, None, None] * model[2]
    return motion.astype(np.float32)


def _motion_around(frame: NDArray[np.uint8], flow: Field) -> Field:
    """The mean flow of the neighbourhood, textured places counting most."""
    height, width = frame.shape
    small = (max(1, width // _REDUCE), max(1, height // _REDUCE))
    corner = cv2.cornerMinEigenVal(frame, 5)
    weight = corner / (corner + _TEXTURE) + np.float32(0.02)
    weighted = np.dstack([flow * weight[..., None], weight])
    reduced = _shrunk(weighted, small)
    spread = cv2.GaussianBlur(reduced, (0, 0), max(1.0, _REACH * max(height, width) / _REDUCE))
    mean = spread[..., :2] / spread[..., 2:]
    around: Field = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return around
