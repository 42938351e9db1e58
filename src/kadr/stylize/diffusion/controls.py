"""A frame in, the image that steers a ControlNet out: edges, soft edges or the frame itself."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from kadr.core.frames import Image

_CANNY = (100.0, 200.0)
"""The lower and upper gradient of Canny's edges, as people know them from A1111."""

_SCALES = (1.0, 2.0, 4.0)
"""Blurs, in pixels of a frame 512 high, whose gradients make the soft edges."""


def canny(image: Image) -> Image:
    """(H, W, 3) uint8: thin edges, 255 on 0, of an image of the same shape."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _three(cv2.Canny(grey, *_CANNY))


def soft_edge(image: Image) -> Image:
    """(H, W, 3) uint8: strong contours bright and wide, fine texture faint.

    The weakest of the gradients at three scales is kept, as contours are steep at all of them and
    grain at the finest alone.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    unit = min(image.shape[:2]) / 512
    edges: list[np.ndarray] = []
    for scale in _SCALES:
        sigma = max(0.6, scale * unit)
        smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
        gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
        gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
        # a step of one level has this gradient at its middle after the blur
        edges.append(np.sqrt((gx**2 + gy**2).sum(axis=2)) * np.float32(sigma * np.sqrt(2 * np.pi)))
    strength = np.minimum.reduce(edges)
    # a contrast of about 60 levels is a full edge
    soft = 255 * (1 - np.exp(-strength / 30))
    return _three(np.clip(np.rint(soft), 0, 255).astype(np.uint8))


def tile(image: Image) -> Image:
    """The frame itself: a tile ControlNet keeps what is there and adds detail."""
    return image


OWN_CONTROLS: dict[str, Callable[[Image], Image]] = {
    "canny": canny,
    "softedge": soft_edge,
    "tile": tile,
}
"""Controls that a frame alone gives; others are lent by the run."""


def control_image(
    name: str, image: Image, lent: Callable[[str], Image], size: tuple[int, int]
) -> Image:
    """The control called ``name``, (H, W, 3) uint8 of ``size`` (width, height).

    image: the frame at that size. lent: gives a control that is not made here, of any size.
    """
    own = OWN_CONTROLS.get(name)
    if own is not None:
        return own(image)
    given = lent(name)[..., :3]
    if (given.shape[1], given.shape[0]) == size:
        return np.ascontiguousarray(given)
    resized: Image = cv2.resize(given, size, interpolation=cv2.INTER_AREA)
    return resized


def _three(plane: Image) -> Image:
    return np.repeat(plane[..., None], 3, axis=2)
