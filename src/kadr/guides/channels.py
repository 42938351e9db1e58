"""Compute guide channels on the scale 0–255 from frames and transports."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field
from kadr.guides.flow import gray


def edge_guide(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 1) float32: gray minus its blur plus 128, so that both sides of an edge show."""
    luma = gray(image).astype(np.float32)
    sigma = 6.0 * max(image.shape[:2]) / 960.0
    blurred: NDArray[np.float32] = cv2.GaussianBlur(luma, (0, 0), max(sigma, 1.0))
    return (luma - blurred + np.float32(128))[..., None]


def position_guide(positions: Field, side: int) -> NDArray[np.float32]:
    """(H, W, 2) float32: positions in an image whose longer ``side`` is scaled to 255.

    Stays float until the 16-bit packing: with eight bits a step would be several pixels.
    """
    return positions * np.float32(255.0 / side)
