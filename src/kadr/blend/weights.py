"""How well several keys explain a frame in, each key's share of it out, frame after frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_STEADY = np.float32(0.6)
"""Share of the last frame's weights, carried along the motion, in this frame's."""
_TIME = np.float32(1.3)
"""How strongly nearness in time pulls; larger hands over later and faster."""
_ERROR = np.float32(5.0)
"""How strongly a difference in error pulls."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """How well one key's version of a frame does.

    key: its key frame. error: (h, w) uint8, 0 is good, of any size up to the frame's.
    nearness: 0–1, falling to 0 where the key's range ends; 1 on the key itself.
    """

    key: int
    error: NDArray[np.uint8]
    nearness: float


class BlendWeights:
    """Weighs candidates frame by frame; keeps weights so that the choice moves with the picture.

    Each pixel is taken mostly from the key that explains it better and is nearer in time. The
    choice is smooth in space, follows the motion in time, and passes from key to key at different
    moments in different places, so there is neither a seam nor a moment of change. It is so smooth
    that it may be made on errors much smaller than the frames.
    """

    def __init__(self) -> None:
        self._weights: dict[int, NDArray[np.float32]] = {}
        self.error = 0.0
        """Of the last frame weighed, 0–1: the mean error of what was chosen."""

    def start(self, key: int, shape: tuple[int, int]) -> None:
        """Begin on a key's own frame, which is wholly the key's; shape: (h, w) of the errors."""
        self._weights = {key: np.ones(shape, np.float32)}
        self.error = 0.0

    def weigh(
        self, candidates: Sequence[Candidate], positions: NDArray[np.float32] | None
    ) -> dict[int, NDArray[np.float32]]:
        """The share of each candidate (at least one) at each pixel, (h, w) float32, by key.

        positions: (h, w, 2) float32, where each pixel was in the frame weighed before; None if
        there was none, or if that is not known.
        """
        if len(candidates) == 1:
            self.start(candidates[0].key, candidates[0].error.shape)
        else:
            self._weights = self._settle(_weigh(candidates), positions)
        chosen = sum(
            (self._weights[candidate.key] * candidate.error for candidate in candidates),
            np.float32(0),
        )
        self.error = float(np.mean(chosen)) / 255
        return self._weights

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
