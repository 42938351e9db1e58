"""Masks of what may change in, blurred, cropped and latent masks out; and pictures put together.

A mask here is (H, W) uint8: 255 where the picture may change, 0 where it stays, soft between.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

from kadr.core.frames import Image

Mask = NDArray[np.uint8]

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels, right and bottom not included."""


def blur_mask(mask: Mask, blur: float) -> Mask:
    """A mask with its edges softened by a Gaussian of ``blur`` pixels, cut off at 2.5 times it."""
    if blur <= 0:
        return mask
    width = 2 * int(2.5 * blur + 0.5) + 1
    blurred: Mask = cv2.GaussianBlur(mask, (width, width), blur)
    return blurred


def latent_mask(masks: Sequence[Mask], size: tuple[int, int]) -> Tensor:
    """(B, 1, h, w) float32, 1 where latents may change and 0 elsewhere.

    size: (h, w) of the latents. There is no between: a latent value changes or it does not.
    """
    to = size[1], size[0]
    small = [Picture.fromarray(mask).resize(to, Picture.Resampling.BICUBIC) for mask in masks]
    values = np.stack([np.asarray(mask) for mask in small]).astype(np.float32) / 255
    return torch.from_numpy(np.around(values))[:, None]


def mask_box(mask: Mask, size: tuple[int, int], *, padding: int = 0) -> Box | None:
    """The part of a frame to work on when only what is masked is restyled; None: nothing is.

    The smallest box around all that is not 0, ``padding`` wider on each side, then grown to the
    aspect of ``size`` (width, height), as far as the frame allows.
    """
    height, width = mask.shape
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) == 0:
        return None
    left, right = max(0, columns[0] - padding), min(width, columns[-1] + 1 + padding)
    top, bottom = max(0, rows[0] - padding), min(height, rows[-1] + 1 + padding)
    if (right - left) * size[1] > size[0] * (bottom - top):
        top, bottom = _grown(top, bottom, (right - left) * size[1] / size[0], height)
    else:
        left, right = _grown(left, right, (bottom - top) * size[0] / size[1], width)
    return int(left), int(top), int(right), int(bottom)


def overlay_mask(mask: Mask) -> Mask:
    """The mask for putting a whole restyled picture over its frame: twice the mask, cut off."""
    return np.minimum(mask.astype(np.uint16) * 2, 255).astype(np.uint8)


def composite(restyled: Image, frame: Image, mask: Mask) -> Image:
    """Restyled where the mask is 255, the frame where it is 0, between in proportion."""
    share = mask[..., None].astype(np.uint32)
    mixed = restyled * share + frame * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)


def _grown(start: int, stop: int, length: float, limit: int) -> tuple[int, int]:
    """A stretch grown to ``length`` on both sides, moved so that it lies within 0–limit."""
    more = int(length - (stop - start))
    start, stop = start - more // 2, stop + more - more // 2
    if stop > limit:
        start, stop = start - (stop - limit), limit
    if start < 0:
        start, stop = 0, min(limit, stop - start)
    return start, stop
