"""Sample an image at given positions, or warp it by an optical flow."""

from __future__ import annotations

import functools
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

Field = NDArray[np.float32]
"""(H, W, 2) float32, (x, y) in the last axis: a flow in pixels, or absolute positions."""


@functools.lru_cache(maxsize=4)
def grid(height: int, width: int) -> Field:
    """(H, W, 2) float32 the position of each pixel; read-only."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    field = np.stack([x, y], axis=2)
    field.flags.writeable = False
    return field


def sample(
    image: NDArray[Scalar], positions: Field, *, interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Scalar]:
    """``out[p] = image[positions[p]]``, edges repeated; same dtype and channels as ``image``."""
    sampled: NDArray[Scalar] = cv2.remap(
        image, positions, None, interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return sampled


def warp(
    image: NDArray[Scalar], flow: Field, *, interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Scalar]:
    """Backward warp: ``out[p] = image[p + flow[p]]``, so flow t→t−1 pulls frame t−1 onto t."""
    return sample(image, flow + grid(*flow.shape[:2]), interpolation=interpolation)
