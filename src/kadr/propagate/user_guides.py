"""The user's guides of a pass: images such as normals or IDs that tell apart what film does not.

They enter the synthesis beside the guides that every pass has. They also refute a transport that
leads to a place of the key that they show otherwise: there the style is synthesized, not warped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field, sample
from kadr.guides.confidence import smoothstep
from kadr.synth.types import GuideImage

_DIFFERENCE_RANGE = (32 * 8.0**2, 32 * 18.0**2)
"""Weighted squared difference of key and frame at which the agreement falls from 1 and reaches 0:
that of a filmed colour 8 and 18 levels off, with the weight that the film has by default."""
_TOLERANCE = 1
"""Pixels by which a border may lie elsewhere: a border is not drawn better than that."""


@dataclass(frozen=True, eq=False)
class GuideFrame:
    """What a guide shows of one frame.

    image: (H, W, C) uint8 or float32, 0–255. modulation: (H, W) float32, 0–1, how much it counts;
    None: fully everywhere.
    """

    image: GuideImage
    modulation: NDArray[np.float32] | None = None


class UserGuides:
    """All guides of one key's passes, in a fixed order."""

    def __init__(
        self,
        weights: Sequence[float],
        key: Sequence[GuideFrame],
        read: Callable[[int], Sequence[GuideFrame]],
    ) -> None:
        """key: the guides of the key's frame. read: those of the frame of an index."""
        self.weights, self.key, self.read = tuple(weights), tuple(key), read

    @property
    def channels(self) -> int:
        """How many channels the guides have together."""
        return sum(guide.image.shape[2] for guide in self.key)

    def agreement(self, transport: Field, frame: Sequence[GuideFrame]) -> NDArray[np.float32]:
        """(H, W) float32, 0–1: how far the guides show a frame where the transport leads alike."""
        return self._agreement(transport, frame, _TOLERANCE)

    def keep_matches(self, matches: Field, refined: Field, frame: Sequence[GuideFrame]) -> Field:
        """``refined``, (H, W, 2), but the matches where the guides agree with those better."""
        better = self._agreement(refined, frame, 0) < self._agreement(matches, frame, 0)
        kept: Field = np.where(better[..., None], matches, refined)
        return kept

    def _agreement(
        self, positions: Field, frame: Sequence[GuideFrame], tolerance: int
    ) -> NDArray[np.float32]:
        agreement = np.ones(positions.shape[:2], np.float32)
        for weight, key, target in zip(self.weights, self.key, frame, strict=True):
            warped = sample(key.image, positions)
            difference = _least_difference(warped, target.image, tolerance)
            difference *= np.float32(weight)
            if target.modulation is not None:
                difference *= target.modulation
            agreement *= 1 - smoothstep(difference, *_DIFFERENCE_RANGE)
        return agreement


def modulations(frame: Sequence[GuideFrame], shape: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """The modulation of each guide, (H, W) uint8 of ``shape``."""
    return [
        np.full(shape, 255, np.uint8)
        if guide.modulation is None
        else np.rint(guide.modulation * 255).astype(np.uint8)
        for guide in frame
    ]


def _least_difference(
    first: NDArray[Any], second: NDArray[Any], tolerance: int
) -> NDArray[np.float32]:
    """(H, W) float32: mean squared difference of ``second`` from the most similar pixel near."""
    height, width = second.shape[:2]
    padded = cv2.copyMakeBorder(first, *[tolerance] * 4, cv2.BORDER_REPLICATE)
    padded = padded.reshape(*padded.shape[:2], -1).astype(np.float32)
    target = second.astype(np.float32)
    least = np.full((height, width), np.inf, np.float32)
    for y in range(2 * tolerance + 1):
        for x in range(2 * tolerance + 1):
            difference = padded[y : y + height, x : x + width] - target
            np.minimum(least, np.square(difference).mean(axis=2), out=least)
    return least
