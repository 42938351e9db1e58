"""The survey of a clip, and the coverage of keyframes computed from it."""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError

Blocks = NDArray[np.uint8]
"""(n, B) uint8: for n frames and B blocks of the image the share, in 255ths, that a key does not
explain."""

UNEXPLAINED = 255
"""The value of a block of which a key explains nothing."""


@dataclass(frozen=True, eq=False)
class Survey:
    """How well a keyframe at each of many candidate frames explains the frames around it.

    frames: the surveyed frames. shots: the ranges between cuts; together they are ``frames``.
    candidates: (C,) rising int frame indices of tested keys, some in every shot.
    unexplained: (C, 2·reach + 1, B) uint8; at [c, reach + d] the share, in 255ths, of each of B
    blocks of frame ``candidates[c] + d`` that key ``candidates[c]`` does not explain. 0 for d = 0;
    undefined where that frame is in another shot. small: the same of the small region of each block
    that is explained least, beyond the share of its block; None: not looked at.
    """

    frames: FrameRange
    shots: tuple[FrameRange, ...]
    candidates: NDArray[np.int64]
    unexplained: NDArray[np.uint8]
    small: NDArray[np.uint8] | None = None

    @property
    def reach(self) -> int:
        """Number of compared frames before and after a candidate."""
        return int(self.unexplained.shape[1] - 1) // 2

    @property
    def blocks(self) -> int:
        """Number of blocks of an image."""
        return int(self.unexplained.shape[2])

    def shot(self, index: int) -> FrameRange:
        """The shot that a frame belongs to. Raises OptionsError if it was not surveyed."""
        if index not in self.frames:
            raise OptionsError(
                f"frame {index}: is not among the surveyed frames "
                f"{self.frames.start}–{self.frames.stop - 1}; survey it too"
            )
        return self.shots[bisect_right(self._starts, index) - 1]

    @functools.cached_property
    def _starts(self) -> list[int]:
        return [shot.start for shot in self.shots]

    def explain(self, key: int, frames: FrameRange) -> Blocks:
        """The share of ``frames``, all in the shot of ``key``, that a key there does not explain.

        A frame that is no candidate uses the nearest candidate of the shot. Beyond the reach the
        loss grows linearly with distance.
        """
        return self._explain(self.unexplained, key, frames)

    def explain_small(self, key: int, frames: FrameRange) -> Blocks | None:
        """The same for small regions, beyond the share of their block; None: not looked at."""
        return None if self.small is None else self._explain(self.small, key, frames)

    def _explain(self, shares: NDArray[np.uint8], key: int, frames: FrameRange) -> Blocks:
        shot = self.shot(key)
        low = bisect_left(self.candidates, shot.start)
        high = bisect_left(self.candidates, shot.stop)
        shot_candidates = self.candidates[low:high]
        row = low + int(np.argmin(np.abs(shot_candidates - key)))
        offsets = np.arange(frames.start, frames.stop) - int(self.candidates[row])
        reach = self.reach
        clipped = np.clip(offsets, -reach, reach)
        unexplained: Blocks = shares[row, clipped + reach]
        is_far = np.abs(offsets) > reach
        if is_far.any():
            extrapolated = unexplained[is_far] * (np.abs(offsets[is_far]) / reach)[:, None]
            unexplained[is_far] = np.minimum(extrapolated, UNEXPLAINED).astype(np.uint8)
        if key in frames:
            unexplained[key - frames.start] = 0
        return unexplained

    def curve(self, keys: Sequence[int]) -> NDArray[np.float64]:
        """The predicted error of every surveyed frame, (n,) in 0–1, for a choice of keys.

        The share of the image that neither neighbouring key of the shot explains; 1 in a shot
        without a key.
        """
        return np.concatenate([self.shot_curve(shot, keys) for shot in self.shots])

    def shot_curve(self, shot: FrameRange, keys: Sequence[int]) -> NDArray[np.float64]:
        """The same for the frames of one shot."""
        shot_keys = sorted(key for key in keys if key in shot)
        best = np.full((len(shot), self.blocks), UNEXPLAINED, np.uint8)
        edges = [shot.start, *shot_keys, shot.stop - 1]
        for before, key, after in zip(edges, shot_keys, edges[2:], strict=False):
            frames_between = slice(before - shot.start, after + 1 - shot.start)
            unexplained = self.explain(key, FrameRange(before, after + 1))
            best[frames_between] = np.minimum(best[frames_between], unexplained)
        error: NDArray[np.float64] = best.mean(axis=1) / UNEXPLAINED
        return error

    def coverage(self, keys: Sequence[int]) -> float:
        """The share of all frames together that the keys explain, 0–1."""
        return 1.0 - float(self.curve(keys).mean())
