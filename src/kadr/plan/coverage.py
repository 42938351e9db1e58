"""What keyframes would explain of every frame: the survey of a clip, and coverage read from it."""

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
"""(n, B) uint8: for each of n frames the share, in 255ths, of each of B blocks of the picture that
a key does not explain."""

WHOLE = 255
"""A block of which a key explains nothing."""


@dataclass(frozen=True, eq=False)
class Survey:
    """How well a keyframe at each of many places would explain the frames around it.

    frames: what was surveyed. shots: the ranges between cuts, which make up ``frames``.
    candidates: (C,) rising int frame indices where a key was tried, some in every shot.
    unexplained: (C, 2·reach + 1, B) uint8; at [c, reach + d] the share, in 255ths, of each of B
    blocks of frame ``candidates[c] + d`` that a key there does not explain. 0 for d = 0; of no
    meaning where that frame is in another shot.
    """

    frames: FrameRange
    shots: tuple[FrameRange, ...]
    candidates: NDArray[np.int64]
    unexplained: NDArray[np.uint8]

    @property
    def reach(self) -> int:
        """How many frames before and after a candidate were looked at."""
        return int(self.unexplained.shape[1] - 1) // 2

    @property
    def blocks(self) -> int:
        """Into how many blocks a picture was divided."""
        return int(self.unexplained.shape[2])

    def shot(self, index: int) -> FrameRange:
        """The shot that a frame belongs to. Raises OptionsError for one that was not surveyed."""
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
        """What a key at any frame leaves unexplained of ``frames``, which are of its own shot.

        Between candidates the nearest one of the shot stands in. Further than the reach the loss
        goes on growing with distance as it did up to there.
        """
        shot = self.shot(key)
        low = bisect_left(self.candidates, shot.start)
        high = bisect_left(self.candidates, shot.stop)
        own = self.candidates[low:high]
        row = low + int(np.argmin(np.abs(own - key)))
        offsets = np.arange(frames.start, frames.stop) - int(self.candidates[row])
        reach = self.reach
        near = np.clip(offsets, -reach, reach)
        found: Blocks = self.unexplained[row, near + reach]
        far = np.abs(offsets) > reach
        if far.any():
            grown = found[far] * (np.abs(offsets[far]) / reach)[:, None]
            found[far] = np.minimum(grown, WHOLE).astype(np.uint8)
        if key in frames:
            found[key - frames.start] = 0
        return found

    def curve(self, keys: Sequence[int]) -> NDArray[np.float64]:
        """The predicted error of every surveyed frame, (n,) in 0–1, for a choice of keys.

        It is the share of the picture that neither neighbouring key of the shot explains; 1 in a
        shot without a key.
        """
        return np.concatenate([self.shot_curve(shot, keys) for shot in self.shots])

    def shot_curve(self, shot: FrameRange, keys: Sequence[int]) -> NDArray[np.float64]:
        """The same for the frames of one shot."""
        own = sorted(key for key in keys if key in shot)
        best = np.full((len(shot), self.blocks), WHOLE, np.uint8)
        edges = [shot.start, *own, shot.stop - 1]
        for before, key, after in zip(edges, own, edges[2:], strict=False):
            part = slice(before - shot.start, after + 1 - shot.start)
            found = self.explain(key, FrameRange(before, after + 1))
            best[part] = np.minimum(best[part], found)
        error: NDArray[np.float64] = best.mean(axis=1) / WHOLE
        return error

    def coverage(self, keys: Sequence[int]) -> float:
        """The share of all frames together that the keys explain, 0–1."""
        return 1.0 - float(self.curve(keys).mean())
