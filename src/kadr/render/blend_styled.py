"""The passes of one frame and their weights in, the blended image out; alpha counts as a weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kadr.blend.pyramid import blend_images
from kadr.blend.weights import enlarge_weights
from kadr.core.frames import Image


def blend_styled(images: Sequence[Image], weights: Sequence[NDArray[np.float32]]) -> Image:
    """Blend images (H, W, 3 or 4) uint8, straight alpha, by weights that sum to 1.

    weights: (h, w) float32 of any size. What is transparent in an image has no part in the colours:
    that is what mixing premultiplied images gives, without its loss of precision.
    """
    if len(images) == 1 or images[0].shape[2] == 3:
        return blend_images(images, weights)
    size = images[0].shape[1], images[0].shape[0]
    shares = enlarge_weights(weights, size)
    by_alpha = shares * np.stack([image[..., 3] for image in images])
    alpha = by_alpha.sum(axis=0)
    visible = alpha > 0
    np.divide(by_alpha, alpha, out=shares, where=visible)
    colours = blend_images([np.ascontiguousarray(image[..., :3]) for image in images], list(shares))
    return np.dstack([colours, np.clip(np.rint(alpha), 0, 255).astype(np.uint8)])
