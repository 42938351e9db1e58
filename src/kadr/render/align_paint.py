"""Two keys' versions of one frame in, the same moved onto each other out, before they are blended.

What is painted beside a figure lies where each painter's hand and each pass put it: a few pixels
apart. Blended as it is, it would have two outlines.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.row_bands import run_bands
from kadr.core.warp import Field, grid, sample
from kadr.guides.flow import estimate_two_way, gray, reduce_for_flow
from kadr.guides.kernels import gain_rows

VERSION = 1
"""Raised when the same images are moved another way."""

_MOST = 0.04
"""The largest distance that is taken for one shape, as a share of the longest side."""
_SMOOTH = 0.008
"""Sigma by which the motion is smoothed, as a share of the longest side: shapes move as a whole."""
_BOX = (9, 9)


def align_paint(images: Sequence[Image], weights: Sequence[NDArray[np.float32]]) -> list[Image]:
    """Move two images (H, W, 4) uint8 onto a shape between them, by their weights (h, w).

    An image of weight 1 stays as it is. More or fewer images, or images without alpha, stay too.
    """
    if len(images) != 2 or images[0].shape[2] != 4:
        return list(images)
    height, width = images[0].shape[:2]
    motion = _motion(*(reduce_for_flow(_picture(image)) for image in images))
    scale = np.array([width / motion.shape[1], height / motion.shape[0]], np.float32)
    motion = cv2.resize(motion * scale, (width, height), interpolation=cv2.INTER_LINEAR)
    share = weights[1].astype(np.float32)
    second = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    own = grid(height, width)
    moved = [own - second * motion, own + (1 - second) * motion]
    return [
        sample(image, positions, interpolation=cv2.INTER_CUBIC)
        for image, positions in zip(images, moved, strict=True)
    ]


def _picture(image: Image) -> NDArray[np.uint8]:
    """(H, W) uint8: black where nothing is painted, grey to white where something is."""
    level = 0.5 + gray(np.ascontiguousarray(image[..., :3])).astype(np.float32) / 510
    picture: NDArray[np.uint8] = np.rint(image[..., 3] * level).astype(np.uint8)
    return picture


def _motion(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Field:
    """From the first picture to the second, (h, w, 2), as far as it makes them more alike."""
    both = estimate_two_way(first, second)
    motion = (both.forward - both.backward) / 2
    longest = max(first.shape)
    sigma = max(1.0, _SMOOTH * longest)
    painted = np.maximum(first, second).astype(np.float32) / 255
    share = np.maximum(cv2.GaussianBlur(painted, (0, 0), sigma), np.float32(1e-3))
    motion = cv2.GaussianBlur(motion * painted[..., None], (0, 0), sigma) / share[..., None]
    own = grid(*first.shape)
    before = _difference(first, second)
    after = _difference(sample(first, own - motion / 2), sample(second, own + motion / 2))
    gain = np.empty_like(before)
    run_bands(lambda start, stop: gain_rows(before, after, gain, start, stop), len(gain), band=64)
    length = np.hypot(motion[..., 0], motion[..., 1])
    gain[length > _MOST * longest] = 0
    # where both look alike already the motion is that of what lies around it
    trusted = cv2.GaussianBlur(cv2.dilate(gain, np.ones(_BOX, np.uint8)), (0, 0), sigma)
    smoothed: Field = motion * trusted[..., None]
    return smoothed


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    difference: NDArray[np.float32] = cv2.boxFilter(cv2.absdiff(a, b), cv2.CV_32F, _BOX)
    return difference
