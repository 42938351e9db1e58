"""Sizes that fit into a box, and images at another size."""

from __future__ import annotations

import math
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)
Integer = TypeVar("Integer", np.uint8, np.uint16)
Size = tuple[int, int]
"""(width, height) in pixels."""


def fit_in_box(size: Size, box: tuple[float, float], *, enlarge: bool = False) -> Size:
    """The largest size of the same aspect that lies within ``box`` (width, height).

    Sides are rounded and at least 1. A size that fits already is enlarged only if ``enlarge``.
    """
    scale = min(box[0] / size[0], box[1] / size[1], math.inf if enlarge else 1.0)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def fit_width(size: Size, width: int) -> Size:
    """The size of the same aspect that is ``width`` pixels wide."""
    return width, max(1, round(width * size[1] / size[0]))


def shrink_to_side(image: NDArray[Pixel], side: int) -> NDArray[Pixel]:
    """Reduce an image (H, W) or (H, W, C) so that its longest side is at most ``side`` pixels.

    Averages areas. An image that is small enough is returned itself.
    """
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    size = fit_in_box((width, height), (side, side))
    reduced: NDArray[Pixel] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def resize_image(image: NDArray[Integer], size: Size) -> NDArray[Integer]:
    """An image (H, W, 3 or 4), uint8 or uint16, at another size: area down, cubic up.

    Colours are weighted by alpha, so hidden colours do not bleed in.
    """
    largest = np.iinfo(image.dtype).max
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    values = image.astype(np.float32)
    if image.shape[2] == 3:
        resized = cv2.resize(values, size, interpolation=method)
    else:
        alpha = values[..., 3:] / largest
        premultiplied = np.concatenate([values[..., :3] * alpha, values[..., 3:]], axis=2)
        resized = cv2.resize(premultiplied, size, interpolation=method)
        resized[..., :3] /= np.maximum(resized[..., 3:] / largest, 1 / largest)
    rounded: NDArray[Integer] = np.clip(np.rint(resized), 0, largest).astype(image.dtype)
    return rounded
