"""Two images in; how far their colours and their textures differ out, wherever they lie."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.guides.flow import gray

_FINE_SIGMA = 2.0
"""Pixels; what a Gaussian of this size removes is texture."""


@dataclass(frozen=True, eq=False)
class StyleHistogram:
    """Cumulative shares of the levels of an image: (3, 256) of its colours, (256,) of its texture.

    Small, so those of all keys can be kept.
    """

    colours: NDArray[np.float64]
    texture: NDArray[np.float64]

    @classmethod
    def of(cls, image: Image) -> StyleHistogram:
        """Of a (H, W, 3) uint8 image."""
        luma = gray(image)
        blurred = cv2.GaussianBlur(luma, (0, 0), _FINE_SIGMA)
        fine = np.clip(luma.astype(np.int16) - blurred + 128, 0, 255).astype(np.uint8)
        channels = [_cumulative(np.ascontiguousarray(image[..., c])) for c in range(3)]
        return cls(np.stack(channels), _cumulative(fine))

    def distance(self, other: StyleHistogram) -> tuple[float, float]:
        """Distances of colours and of textures, in grey levels.

        Wasserstein distances of the distributions: how far levels have to move on average (for
        colours, the mean of the channels).
        """
        colours = np.abs(self.colours - other.colours).sum(axis=1).mean()
        return float(colours), float(np.abs(self.texture - other.texture).sum())


def _cumulative(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    counts: NDArray[np.float64] = np.bincount(levels.ravel(), minlength=256).cumsum() / levels.size
    return counts
