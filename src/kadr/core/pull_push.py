"""Values that hold in some places in, values everywhere out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def pull_push(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill an image by pull-push (Gortler et al. 1996, The Lumigraph).

    Each level is the weighted mean of the one below it.

    weighted: (H, W, C) float32, values times their weight. weight: (H, W) float32, 0–1, how far a
    value holds. Returns (H, W, C) float32: the values themselves where the weight is 1.
    """
    height, width = weight.shape
    visible = np.maximum(weight, np.float32(1e-6))[..., None]
    below: NDArray[np.float32] = np.divide(weighted, visible, dtype=np.float32)
    if max(height, width) == 1 or weight.min() == 1:
        return below
    size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    channels = weighted.shape[2]
    shape = size[1], size[0], channels
    coarse = pull_push(
        cv2.resize(weighted, size, interpolation=cv2.INTER_AREA).reshape(shape),
        cv2.resize(weight, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0]),
    )
    around = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    filled: NDArray[np.float32] = around.reshape(height, width, channels)
    filled += weight[..., None] * (below - filled)
    return filled
