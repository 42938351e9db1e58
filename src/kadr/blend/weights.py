"""Compute blend weights of the keys for each pixel, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TEMPORAL_SMOOTHING = np.float32(0.6)
"""Share of the previous frame's weights, warped along the motion, in the weights of a frame."""
_TIME_WEIGHT = np.float32(1.3)
"""Weight of nearness in time; a larger value makes transitions later and faster."""
_ERROR_WEIGHT = np.float32(5.0)
"""Weight of a difference in error."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """The version of a frame that one key's pass produced.

    key: index of the key frame. error: (h, w) uint8, 0 is best, of any size up to the frame size.
    nearness: 0–1; 1 on the key itself, falling to 0 where the key's range ends.
    """

    key: int
    error: NDArray[np.uint8]
    nearness: float


class BlendWeights:
    """Weighs candidates frame by frame; keeps the last weights for temporal consistency.

    Each pixel is taken mostly from the key that explains it better and is nearer in time. Weights
    are smooth in space, follow the motion in time, and change from key to key at different times
    in different places, so that no seam and no sudden change is visible. They are so smooth that
    errors much smaller than the frames are enough.
    """

    def __init__(self, side: int | None = None) -> None:
        """side: longest side of whole frames where errors are of a part; None: that of errors."""
        self._side = side
        self._weights: dict[int, NDArray[np.float32]] = {}
        self.error = 0.0
        """Weighted mean error of the last frame, 0–1."""

    def start(self, key: int, shape: tuple[int, int]) -> None:
        """Start on a key frame, where that key has weight 1; shape: (h, w) of the errors."""
        self._weights = {key: np.ones(shape, np.float32)}
        self.error = 0.0

    def weigh(
        self, candidates: Sequence[Candidate], positions: NDArray[np.float32] | None
    ) -> dict[int, NDArray[np.float32]]:
        """The weight of each candidate (at least one) at each pixel, (h, w) float32, by key.

        positions: (h, w, 2) float32, position of each pixel in the previous frame; None if there
        is no previous frame or the positions are unknown.
        """
        if len(candidates) == 1:
            self.start(candidates[0].key, candidates[0].error.shape)
        else:
            self._weights = self._smooth_in_time(_weigh(candidates, self._side), positions)
        weighted_error = sum(
            (self._weights[candidate.key] * candidate.error for candidate in candidates),
            np.float32(0),
        )
        self.error = float(np.mean(weighted_error)) / 255
        return self._weights

    def _smooth_in_time(
        self,
        weights: Mapping[int, NDArray[np.float32]],
        positions: NDArray[np.float32] | None,
    ) -> dict[int, NDArray[np.float32]]:
        if not self._weights or positions is None:
            return dict(weights)
        smoothed: dict[int, NDArray[np.float32]] = {}
        for key, weight in weights.items():
            previous = self._weights.get(key)
            warped = (
                np.zeros_like(weight) if previous is None else _warp_weight(previous, positions)
            )
            smoothed[key] = weight + _TEMPORAL_SMOOTHING * (warped - weight)
        total = sum(smoothed.values(), np.float32(1e-6))
        return {key: weight / total for key, weight in smoothed.items()}


def enlarge_weights(
    weights: Sequence[NDArray[np.float32]], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Weights (h, w) of several keys at the ``size`` (width, height) of frames, (N, H, W)."""
    return np.stack(
        [cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR) for weight in weights]
    )


def to_16_bits(weights: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Weights (N, H, W) that sum to 1 as integers that sum to 65535 at each pixel.

    The running sum is rounded, not each weight: no pixel is then one too high or too low.
    """
    sums = np.cumsum(weights, axis=0, dtype=np.float32)
    sums[-1] = 1
    rounded = np.rint(np.minimum(sums, 1) * np.float32(65535)).astype(np.int32)
    whole: NDArray[np.uint16] = np.diff(rounded, axis=0, prepend=0).astype(np.uint16)
    return whole


def _warp_weight(
    weight: NDArray[np.float32], positions: NDArray[np.float32]
) -> NDArray[np.float32]:
    warped: NDArray[np.float32] = cv2.remap(
        weight, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return warped


def _weigh(candidates: Sequence[Candidate], side: int | None) -> dict[int, NDArray[np.float32]]:
    """Softmax of nearness in time against blurred error."""
    sigma = (side or max(candidates[0].error.shape)) * 0.008
    scores = []
    for candidate in candidates:
        error = cv2.GaussianBlur(candidate.error.astype(np.float32), (0, 0), sigma) / 255
        scores.append(_TIME_WEIGHT * np.log(max(candidate.nearness, 1e-3)) - _ERROR_WEIGHT * error)
    stack = np.stack(scores)
    stack = np.exp(stack - stack.max(axis=0))
    stack /= stack.sum(axis=0)
    return {candidate.key: stack[i] for i, candidate in enumerate(candidates)}
