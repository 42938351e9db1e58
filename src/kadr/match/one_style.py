"""A key frame painted from another key's patches, and that key's own paint, in; one picture out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.blend.pyramid import blend_images
from kadr.core.frames import Image
from kadr.core.warp import Field, sample
from kadr.guides.confidence import similarity, smoothstep

_SIMILARITY_RANGE = (0.3, 0.6)
"""Similarity to the film at which patches of the reference key begin to explain it, and do."""
_COLOUR_RANGE = (12.0, 26.0)
"""Difference from the film, in 8-bit levels, up to which they do, and above which they do not."""
_SPECK, _GROWTH, _FEATHER = 0.006, 0.006, 0.004
"""Shares of the longest side: of what is too small to count, of the border that goes with own
paint, and of its soft edge."""


def own_paint(
    reference: Image, filmed: Image, matches: Field, painted: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Where a key keeps its own paint, (h, w) float32, 1 for all of it.

    reference, filmed: (h, w, 3) uint8, the filmed frames of the reference key and of this one.
    matches: (h, w, 2) float32, where in the reference key each pixel is taken from. Where the film
    there does not look like the film here, the reference key does not explain it. painted: (h, w),
    where the key is painted at all; the rest stays its own.
    """
    side = max(filmed.shape[:2])
    source = sample(reference, matches)
    explained = smoothstep(similarity(source, filmed), *_SIMILARITY_RANGE)
    difference = cv2.absdiff(source, filmed).max(axis=2).astype(np.float32)
    difference = cv2.GaussianBlur(difference, (0, 0), 1.2)
    explained *= 1 - smoothstep(difference, *_COLOUR_RANGE)
    missing = cv2.GaussianBlur(1 - explained, (0, 0), max(1.0, _SPECK * side))
    own = smoothstep(missing, 0.35, 0.6)
    radius = max(1, round(_GROWTH * side))
    own = cv2.dilate(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    if painted is not None:
        size = filmed.shape[1], filmed.shape[0]
        inside = cv2.resize(painted, size, interpolation=cv2.INTER_LINEAR)
        own = np.maximum(own, 1 - inside)
    feathered: NDArray[np.float32] = cv2.GaussianBlur(own, (0, 0), max(0.8, _FEATHER * side))
    return feathered


def compose(carried: Image, own: Image, share: NDArray[np.float32]) -> Image:
    """The picture of both, (H, W, 3) uint8, without a seam; share: (h, w) of the own paint."""
    if not share.any():
        return carried
    return blend_images([carried, np.ascontiguousarray(own[..., :3])], [1 - share, share])
