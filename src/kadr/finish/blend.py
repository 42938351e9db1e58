"""Several keys' versions of one frame in, the finished frame out, frame after frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.finish.bands import blend_bands

_STEADY = np.float32(0.6)
"""Share of the last frame's weights, carried along the motion, in this frame's."""
_TIME = np.float32(1.3)
"""How strongly nearness in time pulls; larger hands over later and faster."""
_ERROR = np.float32(5.0)
"""How strongly a difference in error pulls."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One key's version of a frame.

    key: its key frame. image: (H, W, C) uint8. error: (H, W) uint8, 0 is good.
    nearness: 0–1, falling to 0 where the key's range ends; 1 on the key itself.
    """

    key: int
    image: NDArray[np.uint8]
    error: NDArray[np.uint8]
    nearness: float


class Joiner:
    """Joins candidates frame by frame; keeps the weights so that the choice moves with the picture.

    Each pixel is taken mostly from the key that explains it better and is nearer in time. The
    choice is smooth in space, follows the motion in time, and passes from key to key at different
    moments in different places, so there is neither a seam nor a moment of change.
    """

    def __init__(self) -> None:
        self._weights: dict[int, NDArray[np.float32]] = {}

    def join(
        self, candidates: Sequence[Candidate], positions: NDArray[np.float32] | None
    ) -> NDArray[np.uint8]:
        """Join one frame's candidates (at least one).

        positions: (H, W, 2) float32, where each pixel was in the frame joined before; None if
        there was none.
        """
        if len(candidates) == 1:
            only = candidates[0]
            self._weights = {only.key: np.ones(only.error.shape, np.float32)}
            return only.image
        weights = self._settle(_weigh(candidates), positions)
        self._weights = weights
        return blend_bands(
            [candidate.image for candidate in candidates],
            [weights[candidate.key] for candidate in candidates],
        )

    def _settle(
        self,
        weights: Mapping[int, NDArray[np.float32]],
        positions: NDArray[np.float32] | None,
    ) -> dict[int, NDArray[np.float32]]:
        if not self._weights or positions is None:
            return dict(weights)
        steadied: dict[int, NDArray[np.float32]] = {}
        for key, weight in weights.items():
            last = self._weights.get(key)
            before = np.zeros_like(weight) if last is None else _follow(last, positions)
            steadied[key] = weight + _STEADY * (before - weight)
        total = sum(steadied.values(), np.float32(1e-6))
        return {key: weight / total for key, weight in steadied.items()}


def _follow(weight: NDArray[np.float32], positions: NDArray[np.float32]) -> NDArray[np.float32]:
    followed: NDArray[np.float32] = cv2.remap(
        weight, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return followed


def _weigh(candidates: Sequence[Candidate]) -> dict[int, NDArray[np.float32]]:
    """Softmax of nearness in time against blurred error."""
    height, width = candidates[0].error.shape
    sigma = max(height, width) * 0.008
    scores = []
    for candidate in candidates:
        error = cv2.GaussianBlur(candidate.error.astype(np.float32), (0, 0), sigma) / 255
        scores.append(_TIME * np.log(max(candidate.nearness, 1e-3)) - _ERROR * error)
    stack = np.stack(scores)
    stack = np.exp(stack - stack.max(axis=0))
    stack /= stack.sum(axis=0)
    return {candidate.key: stack[i] for i, candidate in enumerate(candidates)}
