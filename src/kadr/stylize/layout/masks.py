"""A mask of what may change in; blurred, cropped and latent masks out; and masked compositing.

A mask here is (H, W) uint8: 255 where the image may change, 0 where it stays, soft between.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from torch import Tensor

from kadr.core.frames import Image

SoftMask = NDArray[np.uint8]
"""A mask with soft edges, (H, W): 255 is restyled, 0 stays."""

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels, right and bottom exclusive."""


def blur_mask(mask: SoftMask, blur: float) -> SoftMask:
    """Blur a mask with a Gaussian of ``blur`` pixels, truncated at 2.5 times that."""
    if blur <= 0:
        return mask
    width = 2 * int(2.5 * blur + 0.5) + 1
    blurred: SoftMask = cv2.GaussianBlur(mask, (width, width), blur)
    return blurred


def latent_mask(masks: Sequence[SoftMask], size: tuple[int, int]) -> Tensor:
    """(B, 1, h, w) float32: 1 where latents may change, 0 elsewhere.

    size: (h, w) of the latents. Values are rounded: a latent value changes or it does not.
    """
    latent_size = size[1], size[0]
    small = [
        PillowImage.fromarray(mask).resize(latent_size, PillowImage.Resampling.BICUBIC)
        for mask in masks
    ]
    values = np.stack([np.asarray(mask) for mask in small]).astype(np.float32) / 255
    return torch.from_numpy(np.around(values))[:, None]


def find_mask_box(mask: SoftMask, size: tuple[int, int], *, padding: int = 0) -> Box | None:
    """The part of a frame that "only masked" restyles; None for an empty mask.

    The smallest box around everything above 0, ``padding`` wider on each side, then grown to the
    aspect of ``size`` (width, height), as far as the frame allows.
    """
    height, width = mask.shape
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) == 0:
        return None
    left, right = max(0, columns[0] - padding), min(width, columns[-1] + 1 + padding)
    top, bottom = max(0, rows[0] - padding), min(height, rows[-1] + 1 + padding)
    if (right - left) * size[1] > size[0] * (bottom - top):
        top, bottom = _grow(top, bottom, (right - left) * size[1] / size[0], height)
    else:
        left, right = _grow(left, right, (bottom - top) * size[0] / size[1], width)
    return int(left), int(top), int(right), int(bottom)


def overlay_mask(mask: SoftMask) -> SoftMask:
    """The mask that puts a whole restyled image over its frame: twice the mask, clipped at 255."""
    return np.minimum(mask.astype(np.uint16) * 2, 255).astype(np.uint8)


def composite(restyled: Image, frame: Image, mask: SoftMask) -> Image:
    """Mix two images by a mask: ``restyled`` at 255, ``frame`` at 0."""
    share = mask[..., None].astype(np.uint32)
    mixed = restyled * share + frame * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)


def _grow(start: int, stop: int, length: float, limit: int) -> tuple[int, int]:
    """Grow [start, stop) on both sides to ``length``, then move it inside 0–limit."""
    extra = int(length - (stop - start))
    start, stop = start - extra // 2, stop + extra - extra // 2
    if stop > limit:
        start, stop = start - (stop - limit), limit
    if start < 0:
        start, stop = 0, min(limit, stop - start)
    return start, stop
