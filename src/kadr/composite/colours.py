"""Extend the colours of an RGBA image into its transparent parts.

What lies under alpha 0 is arbitrary: black, white, or what the paint program left there. Any
resampling near the edge would take it in, as a dark or light fringe. Resampling colours that go on
beyond the edge, and alpha beside them, gives what resampling premultiplied colours gives, without
its loss of precision where alpha is low.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image


def extend_colours(image: Image) -> Image:
    """(H, W, 4) uint8 straight alpha → (H, W, 3) uint8; where alpha is 0 the colours around.

    Colours where alpha is not 0 stay as they are. Pull–push filling (Gortler et al. 1996, The
    Lumigraph): each level is the mean of the visible colours below it.
    """
    colours, alpha = image[..., :3], image[..., 3].astype(np.float32) / np.float32(255)
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return np.ascontiguousarray(colours)
    filled = _fill(colours * alpha[..., None], alpha)
    return np.where(hidden[..., None], np.rint(filled).astype(np.uint8), colours)


def _fill(premultiplied: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours everywhere, from premultiplied ones (h, w, 3) and alpha (h, w)."""
    height, width = alpha.shape
    visible = np.maximum(alpha, np.float32(1e-6))[..., None]
    below: NDArray[np.float32] = np.divide(premultiplied, visible, dtype=np.float32)
    if max(height, width) == 1 or alpha.min() == 1:
        return below
    size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    coarse = _fill(
        cv2.resize(premultiplied, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3),
        cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0]),
    )
    around = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    filled: NDArray[np.float32] = around.reshape(height, width, 3)
    filled += alpha[..., None] * (below - filled)
    return filled
