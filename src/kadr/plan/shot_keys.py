"""One shot of a survey in, its best keyframes for every number of them out, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import FrameRange
from kadr.plan.coverage import Survey

NEVER = np.iinfo(np.int64).max // 4
"""The loss of what is not allowed."""

_EFFORT = 400_000_000
"""Comparisons of blocks a shot, about a second; a longer shot is looked at in wider steps."""
_FRAMES = 1000
"""Frames of a shot that are compared; of a longer one every second, third …"""
_FINE = 4
"""Steps between candidates that the largest gap must hold, or every frame becomes one."""

Losses = NDArray[np.int64]


class ShotKeys:
    """The least loss of a shot for each number of keys, and the keys it takes.

    losses: (M + 1,) int64 once solved; [m] is the loss with m keys, NEVER where that is not
    possible. A loss is the sum over frames and blocks of what no neighbouring key explains, in
    255ths of a block. Found by dynamic programming over the place of the last key.
    """

    def __init__(self, survey: Survey, shot: FrameRange, gaps: range) -> None:
        """gaps: how many frames may lie from a key to the next; its end also bounds the edges."""
        self._survey, self._shot, self._gaps = survey, shot, gaps
        self._places = _places(survey, shot, gaps)
        self._parents: list[NDArray[np.int32]] = []
        self._ends = [0]
        self.losses = np.array([NEVER], np.int64)

    @property
    def fewest(self) -> int:
        """The smallest number of keys that keeps the largest gap."""
        longest = self._gaps.stop - 1
        count, reached = 0, self._shot.start
        while count == 0 or reached < self._shot.stop - 1:
            # the furthest place that leaves no frame behind it too far from a key
            place = (
                np.searchsorted(self._places, reached + longest * (count == 0), side="right") - 1
            )
            reached, count = int(self._places[place]) + longest, count + 1
        return count

    def solve(self, most_keys: int) -> None:
        """Fill in ``losses`` for up to ``most_keys`` keys, or until nothing is left to explain."""
        step = -(-len(self._shot) // _FRAMES)
        frames = np.arange(self._shot.start, self._shot.stop, step)
        places, longest = self._places, self._gaps.stop - 1
        rows = [self._survey.explain(int(key), self._shot)[::step] for key in places]
        at = np.searchsorted(frames, places)
        after = np.searchsorted(frames, places, side="right")
        head = np.array([row[:i].sum(dtype=np.int64) for row, i in zip(rows, at, strict=True)])
        tail = np.array([row[i:].sum(dtype=np.int64) for row, i in zip(rows, after, strict=True)])
        head[places - self._shot.start > longest] = NEVER
        tail[self._shot.stop - 1 - places > longest] = NEVER
        between = self._between(rows, at, after)
        losses, self._ends, self._parents = [NEVER], [0], []
        best = head
        while len(losses) <= min(most_keys, places.size) and losses[-1] > 0:
            if len(losses) > 1:
                best = self._add_key(best, between)
            total = np.minimum(best + tail, NEVER)
            self._ends.append(int(total.argmin()))
            losses.append(int(total.min()))
        self.losses = np.array([loss if loss == NEVER else loss * step for loss in losses])

    def _add_key(self, best: Losses, between: Losses) -> Losses:
        """The least loss up to each place with one key more, remembering the key before."""
        width = between.shape[1]
        padded = np.full(best.size + width, NEVER, np.int64)
        padded[width:] = best
        sums = np.stack([padded[width - 1 - j : padded.size - 1 - j] for j in range(width)], axis=1)
        sums = np.minimum(sums + between, NEVER)
        back = sums.argmin(axis=1)
        self._parents.append(np.arange(best.size, dtype=np.int32) - 1 - back.astype(np.int32))
        least: Losses = np.take_along_axis(sums, back[:, None], axis=1)[:, 0]
        return least

    def _between(
        self, rows: list[NDArray[np.uint8]], at: NDArray[np.intp], after: NDArray[np.intp]
    ) -> Losses:
        """(P, W): the loss strictly between place p and the one j + 1 places before it."""
        places = self._places
        first = np.searchsorted(places, places - (self._gaps.stop - 1))
        width = max(1, int((np.arange(places.size) - first).max()))
        between = np.full((places.size, width), NEVER, np.int64)
        for p in range(places.size):
            for q in range(int(first[p]), p):
                if places[p] - places[q] in self._gaps:
                    part = slice(after[q], at[p])
                    explained = np.minimum(rows[q][part], rows[p][part])
                    between[p, p - q - 1] = explained.sum(dtype=np.int64)
        return between

    def keys(self, count: int) -> list[int]:
        """The frames of the best ``count`` keys, rising."""
        place = self._ends[count]
        chosen = [place]
        for parents in reversed(self._parents[: count - 1]):
            place = int(parents[place])
            chosen.append(place)
        return [int(self._places[place]) for place in reversed(chosen)]


def _places(survey: Survey, shot: FrameRange, gaps: range) -> NDArray[np.int64]:
    """Where keys may stand: the shot's candidates, fewer of them in a long shot.

    Gaps that candidates are too far apart for make every frame a place.
    """
    own = survey.candidates[(survey.candidates >= shot.start) & (survey.candidates < shot.stop)]
    step = int(np.diff(own).max()) if own.size > 1 else len(shot)
    longest, play = gaps.stop - 1, len(gaps)
    if longest < min(_FINE * step, len(shot)) or play <= step:
        own = np.arange(shot.start, shot.stop, dtype=np.int64)
        step = 1
    length = min(len(shot), _FRAMES)
    reached = min(longest, len(shot))
    thin = 1
    while (
        own.size / thin * min(own.size, reached / step) / thin * length * survey.blocks
        > 4 * _EFFORT
        and step * (thin + 1) <= longest
        and play > step * (thin + 1)
    ):
        thin += 1
    return own[::thin]
