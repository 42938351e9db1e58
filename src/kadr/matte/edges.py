"""A matte at the work size in, one of the frame's size out whose edges are those of the frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.matte.base import FrameMatte, Matte
from kadr.matte.guided_filter import guided_filter
from kadr.matte.options import EdgeOptions

VERSION = 1
"""Raised when the same matte gets other edges."""

_RADIUS = 0.006
"""Radius of the guided filter as a share of the longer side."""
_EPSILON = 1e-3
"""Variance of colours (0–1) below which the filter averages."""
_SOLID = (0.1, 0.9)
"""Coverage at and beyond which a filtered matte is 0 and 1: the filter leaves a faint veil."""
_GROWN_LEVELS = 16
"""Levels of a matte that is grown."""
_SMALLEST_RADIUS = 4
"""Radius in pixels that the filter keeps when it works at a reduced size."""


def finish_edges(item: FrameMatte, options: EdgeOptions) -> NDArray[np.uint8]:
    """The finished matte of a frame, (H, W) uint8, 255 for the subject (inverted: for the rest)."""
    matte = _refine(item.frame.rgb, item.matte) if item.exact is None else item.exact
    if options.grow:
        matte = _grow(matte, options.grow)
    if options.feather:
        matte = cv2.GaussianBlur(matte, (0, 0), options.feather, borderType=cv2.BORDER_REPLICATE)
    if options.invert:
        matte = 1 - matte
    return np.rint(matte * 255).astype(np.uint8)


def _refine(image: Image, matte: Matte) -> Matte:
    """Enlarge a matte and filter it by the frame, in the part of the frame around its edges."""
    height, width = image.shape[:2]
    if matte.shape != (height, width):
        matte = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(2, round(_RADIUS * max(height, width)))
    edge = ((matte > _SOLID[0]) & (matte < _SOLID[1])) | _borders(matte)
    x, y, w, h = cv2.boundingRect(edge.astype(np.uint8))
    if w == 0:
        return (matte > 0.5).astype(np.float32)
    margin = 2 * radius
    top, left = max(0, y - margin), max(0, x - margin)
    part = np.s_[top : y + h + margin, left : x + w + margin]
    reduce = max(1, radius // _SMALLEST_RADIUS)
    refined = matte.copy()
    refined[part] = guided_filter(
        np.ascontiguousarray(image[part]), np.ascontiguousarray(matte[part]),
        radius, _EPSILON, reduce,
    )  # fmt: skip
    low, high = _SOLID
    solid: Matte = np.clip((refined - np.float32(low)) / np.float32(high - low), 0, 1)
    return solid


def _borders(matte: Matte) -> NDArray[np.bool_]:
    """Where a matte of two levels changes from one to the other."""
    binary = (matte > 0.5).astype(np.uint8)
    change: NDArray[np.bool_] = cv2.morphologyEx(
        binary, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    ).view(np.bool_)
    return change


def _grow(matte: Matte, pixels: float) -> Matte:
    """Dilate by a disc, or erode if below 0; parts of pixels count.

    By threshold decomposition: a grey dilation is the mean of those of its level sets, and that of
    a set is known from the distance to it, whatever the size of the disc.
    """
    if pixels < 0:
        return 1 - _grow(1 - matte, -pixels)
    grown = np.zeros_like(matte)
    for level in range(_GROWN_LEVELS):
        outside = (matte < (level + 0.5) / _GROWN_LEVELS).astype(np.uint8)
        if not outside.all():
            distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            grown += np.clip(np.float32(pixels + 1) - distance, 0, 1)
    grown /= _GROWN_LEVELS
    return grown
