"""A frame in, the control image for a ControlNet out: edges, soft edges or the frame itself."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from kadr.core.frames import Image

_CANNY = (100.0, 200.0)
"""The lower and upper gradient threshold of Canny's edges; the default of A1111."""

_SCALES = (1.0, 2.0, 4.0)
"""Blurs whose gradients make the soft edges, in pixels of a frame 512 high."""


def canny(image: Image) -> Image:
    """(H, W, 3) uint8: thin edges, 255 on 0, of an image of the same shape."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _repeat_channels(cv2.Canny(grey, *_CANNY))


def soft_edge(image: Image) -> Image:
    """(H, W, 3) uint8: strong contours bright and wide, fine texture faint.

    Each pixel takes the smallest of its gradients at three scales: contours are steep at all
    scales, grain only at the finest.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    unit = min(image.shape[:2]) / 512
    edges: list[np.ndarray] = []
    for scale in _SCALES:
        sigma = max(0.6, scale * unit)
        smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
        gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
        gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
        # scaled so that a step of one level gives 1 at its middle after the blur
        edges.append(np.sqrt((gx**2 + gy**2).sum(axis=2)) * np.float32(sigma * np.sqrt(2 * np.pi)))
    strength = np.minimum.reduce(edges)
    # a contrast of about 60 levels is a full edge
    soft = 255 * (1 - np.exp(-strength / 30))
    return _repeat_channels(np.clip(np.rint(soft), 0, 255).astype(np.uint8))


def tile(image: Image) -> Image:
    """The frame itself: a tile ControlNet keeps the content and adds detail."""
    return image


OWN_CONTROLS: dict[str, Callable[[Image], Image]] = {
    "canny": canny,
    "softedge": soft_edge,
    "tile": tile,
}
"""Controls that are computed from the frame alone; the run provides all others."""


def control_image(
    name: str, image: Image, load_control: Callable[[str], Image], size: tuple[int, int]
) -> Image:
    """The control called ``name``, (H, W, 3) uint8 of ``size`` (width, height).

    image: the frame at that size. load_control: loads a control that the run provides, of any size.
    """
    compute = OWN_CONTROLS.get(name)
    if compute is not None:
        return compute(image)
    control = load_control(name)[..., :3]
    if (control.shape[1], control.shape[0]) == size:
        return np.ascontiguousarray(control)
    resized: Image = cv2.resize(control, size, interpolation=cv2.INTER_AREA)
    return resized


def _repeat_channels(plane: Image) -> Image:
    return np.repeat(plane[..., None], 3, axis=2)
