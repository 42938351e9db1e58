"""Two neighbouring frames and the filmed motion between them in; what changed beyond it out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.resize import fit_in_box
from kadr.core.warp import Field, warp
from kadr.guides.flow import estimate_flow
from kadr.guides.occlusion import find_occlusion

_STILL = 0.25
"""Motion in pixels a frame below which a pixel counts as still."""
_LEAST_VISIBLE = 0.25
"""Share of visible pixels below which a cut lies between two frames: it was 0.6 at least between
neighbours of fifteen clips, and 0.1 at most between their last frames."""
_COARSE_SIDE, _LEAST_BLOCK = 60, 8
"""Blocks whose mean is colour: the longer side has about 60 of them, of 8 pixels at least."""


@dataclass(frozen=True, eq=False)
class FilmedMotion:
    """Motion from a filmed frame to the one before it.

    flow: (H, W, 2) pixels. visible: (H, W), False where the frame before does not show the pixel.
    still: (H, W), True where nothing moves.
    """

    flow: Field
    visible: NDArray[np.bool_]
    still: NDArray[np.bool_]

    @classmethod
    def between(cls, frame: NDArray[np.uint8], previous: NDArray[np.uint8]) -> FilmedMotion | None:
        """The motion of two gray frames; None if a cut lies between them."""
        flow = estimate_flow(frame, previous)
        visible = ~find_occlusion(flow, estimate_flow(previous, frame))
        if visible.mean() < _LEAST_VISIBLE:
            return None
        return cls(flow, visible, np.square(flow).sum(axis=2) < _STILL**2)


@dataclass(frozen=True)
class Change:
    """What changed from one frame to the next, in grey levels (mean of the channels).

    warp: mean along the filmed motion, outside occlusions. still_sum, still_count: sum of the
    change over still pixels, and their number. step: mean without regard to motion. colour,
    texture: the coarse and the fine part of the change along the motion.
    """

    warp: float
    still_sum: float
    still_count: int
    step: float
    colour: float
    texture: float


def measure_change(image: Image, previous: Image, motion: FilmedMotion) -> Change:
    """Compare two (H, W, 3) uint8 frames along the motion of the film."""
    warped, visible = warp(previous, motion.flow), motion.visible
    step = difference_levels(image, previous)
    colour, texture = _coarse_and_fine(image.astype(np.float32) - warped, visible)
    return Change(
        warp=float(difference_levels(image, warped)[visible].mean()),
        still_sum=float(step[motion.still].sum()),
        still_count=int(motion.still.sum()),
        step=float(step.mean()),
        colour=colour,
        texture=texture,
    )


def change_map(image: Image, previous: Image, motion: FilmedMotion) -> NDArray[np.float32]:
    """(H, W) change of each pixel along the filmed motion in grey levels; 0 in occlusions."""
    return difference_levels(image, warp(previous, motion.flow)) * motion.visible


def difference_levels(a: Image, b: Image) -> NDArray[np.float32]:
    """(H, W) absolute difference of two (H, W, 3) images in grey levels, mean of the channels."""
    return _channel_mean(cv2.absdiff(a, b).astype(np.float32))


def _channel_mean(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) of (H, W, 3); five times as fast as NumPy's mean."""
    mean: NDArray[np.float32] = cv2.transform(levels, np.full((1, 3), 1 / 3, np.float32))
    return mean


def _coarse_and_fine(
    residual: NDArray[np.float32], visible: NDArray[np.bool_]
) -> tuple[float, float]:
    """Mean size of a residual's block means, and of what is left without them."""
    height, width = visible.shape
    side = max(1, min(_COARSE_SIDE, max(height, width) // _LEAST_BLOCK))
    coarse_size = fit_in_box((width, height), (side, side))
    weight = visible.astype(np.float32)
    sums = cv2.resize(residual * weight[..., None], coarse_size, interpolation=cv2.INTER_AREA)
    shares = cv2.resize(weight, coarse_size, interpolation=cv2.INTER_AREA)
    coarse = sums / np.maximum(shares, 1e-3)[..., None]
    blurred = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    colour = (np.abs(coarse).mean(axis=2) * shares).sum() / shares.sum()
    return float(colour), float(_channel_mean(np.abs(residual - blurred))[visible].mean())
