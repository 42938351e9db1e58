"""Sizes and images of the levels of a pyramid; level 0 is the coarsest."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""(height, width)"""

Image = TypeVar("Image", bound=NDArray[Any])


def level_sizes(size: Size, count: int) -> list[Size]:
    """Sizes of ``count`` levels, coarsest first, each half of the next."""
    return [(max(1, size[0] >> i), max(1, size[1] >> i)) for i in range(count - 1, -1, -1)]


def count_levels(sizes: list[Size], patch_size: int, requested: int | None) -> int:
    """Number of levels (at least one) at which every image's short side is ≥ 2·patch_size + 1."""
    side = min(min(size) for size in sizes)
    count = 1
    while side >> count >= 2 * patch_size + 1:
        count += 1
    return count if requested is None else min(requested, count)


def shrink(image: Image, size: Size) -> Image:
    """Average (H, W, C) down to ``size``; area sampling does not alias, bilinear does."""
    if image.shape[:2] == size:
        return image
    if image.dtype == np.bool_:
        scaled = cv2.resize(image.astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA)
        return cast("Image", scaled > 127)
    scaled = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return cast("Image", scaled.reshape(*size, *image.shape[2:]))
