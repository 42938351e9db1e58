"""A key and its filmed frame in, how fine the key is drawn out; and the key drawn more finely."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.guides.flow import gray

_SIGMA = 0.6
"""In pixels: what a blur of so much removes is the finest detail."""
_ROUNDS, _MOST_GAIN = 5, 1.6
"""Steps of the amplification, and the most of each."""
_OVERSHOOT = 2.0
_LEAST_FINENESS = 1e-3
_LEAST_GAIN = 1.15
"""Keys that differ by less are equally fine."""
_FAINT = 0.5
"""Levels of the film below which it has no detail to compare with."""


def fineness(style: Image, filmed: Image) -> float:
    """How much fine detail a key has for that of its frame: the ratio of their Laplacians' spread.

    style: (H, W, 3 or 4) uint8; where its alpha is 0 nothing counts. filmed: (H, W, 3) uint8. Keys
    of different frames can be compared by it, since the film has what the frames differ in.
    """
    visible = style[..., 3] > 0 if style.shape[2] == 4 else np.ones(style.shape[:2], np.bool_)
    if not visible.any():
        return 1.0
    painted, real = (
        float(cv2.Laplacian(gray(image).astype(np.float32), cv2.CV_32F)[visible].std())
        for image in (style, filmed)
    )
    return painted / max(real, _FAINT)


def refine_contrast(image: Image, filmed: Image, target: float, *, strength: float = 1.0) -> Image:
    """Amplify the finest detail of a key (H, W, 3 or 4) uint8 until it has the fineness ``target``.

    strength: 0–1, how far.

    A picture that was resampled, as most programs return it, has lost a third of it. Keys that are
    nearly as fine, or finer, stay as they are; what is lost altogether does not come back.
    """
    own = fineness(image, filmed)
    target = own + strength * (target - own)
    gain = target / max(own, _LEAST_FINENESS)
    if gain < _LEAST_GAIN:
        return image
    for _ in range(_ROUNDS):
        colours = np.ascontiguousarray(image[..., :3])
        # what is amplified has a part in the blur that is taken off, so each step falls short
        amount = np.float32(min(gain**_OVERSHOOT, _MOST_GAIN) - 1)
        refined = np.rint(colours + amount * _finest(colours))
        image = np.dstack([np.clip(refined, 0, 255).astype(np.uint8), image[..., 3:]])
        gain = max(1.0, target / max(fineness(image, filmed), _LEAST_FINENESS))
    return image


def _finest(image: Image) -> NDArray[np.float32]:
    values = image.astype(np.float32)
    finest: NDArray[np.float32] = values - cv2.GaussianBlur(values, (0, 0), _SIGMA)
    return finest
