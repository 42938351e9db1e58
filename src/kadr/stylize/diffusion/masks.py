"""Masks of what may change in, blurred, cropped and latent masks out; and pictures put together.

A mask here is (H, W) or (B, H, W) uint8, 255 where the picture may change, with soft edges between.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

Mask = NDArray[np.uint8]


def blur_mask(mask: Mask, blur: float) -> Mask:
    """A mask with its edges softened by a Gaussian of ``blur`` pixels, cut off at 2.5 times it."""
    if blur <= 0:
        return mask
    width = 2 * int(2.5 * blur + 0.5) + 1
    blurred: Mask = cv2.GaussianBlur(mask, (width, width), blur)
    return blurred


def latent_mask(masks: Mask, size: tuple[int, ...]) -> Tensor:
    """(B, 1, h, w) float32, 1 where latents may change and 0 elsewhere, from (B, H, W) masks.

    size: (h, w) of the latents. There is no between: a latent changes or it does not.
    """
    small = [
        np.asarray(Picture.fromarray(mask).resize((size[1], size[0]), Picture.Resampling.BICUBIC))
        for mask in masks
    ]
    return torch.from_numpy(np.around(np.stack(small).astype(np.float32) / 255))[:, None]
