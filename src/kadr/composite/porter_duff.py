"""A styled image and its alpha over a background: Porter and Duff's "over" (1984)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image


def over(colours: Image, alpha: NDArray[np.float32], background: Image | None) -> Image:
    """Lay colours (H, W, 3) uint8 with alpha (H, W) float32, 0–1, over a background of their size.

    background: (H, W, 3) uint8; or (H, W, 4), straight alpha, and the result has alpha too; None:
    nothing, the result is the colours with their alpha. The values are mixed as they are encoded
    and rounded once. Where alpha is 0 the background stays bit for bit, where it is 1 the colours.
    """
    if background is None:
        return np.dstack([colours, np.rint(alpha * 255).astype(np.uint8)])
    if background.shape[2] == 3:
        return _over_opaque(colours, alpha, background)
    share = alpha[..., None]
    below = background[..., :3].astype(np.float32)
    below_share = background[..., 3:].astype(np.float32) / 255 * (1 - share)
    total = share + below_share
    premultiplied = colours * share + below * below_share
    mixed = np.divide(premultiplied, total, out=below, where=(share > 0) & (total > 0))
    finished: Image = np.rint(np.concatenate([mixed, total * 255], axis=2)).astype(np.uint8)
    return finished


def _over_opaque(colours: Image, alpha: NDArray[np.float32], background: Image) -> Image:
    """Only edges are mixed: elsewhere one of the images is copied, which takes a tenth of it."""
    mixed = background.copy()
    cv2.copyTo(np.ascontiguousarray(colours), (alpha == 1).astype(np.uint8), mixed)
    edge = (alpha > 0) & (alpha < 1)
    below, share = background[edge].astype(np.float32), alpha[edge][:, None]
    mixed[edge] = np.rint(below + share * (colours[edge] - below)).astype(np.uint8)
    return mixed
