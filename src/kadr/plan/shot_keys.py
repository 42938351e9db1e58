"""One shot of a survey in, its best keyframes for every number of them out, exactly."""

from __future__ import annotations

from collections.abc import Sequence

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

    def __init__(
        self, survey: Survey, shot: FrameRange, gaps: range, given: Sequence[int] = ()
    ) -> None:
        """gaps: how many frames may lie from a key to the next; its end also bounds the edges.

        given: keys that must be among the chosen; gaps between two of them are as they are.
        """
        self._survey, self._shot = survey, shot
        self._places = np.union1d(_places(survey, shot, gaps), np.array(given, np.int64))
        fixed = np.isin(self._places, np.array(given, np.int64))
        self._befores = _allowed_befores(self._places, gaps, fixed)
        longest, at = gaps.stop - 1, np.flatnonzero(fixed)
        places = np.arange(self._places.size)
        self._may_begin = self._places - shot.start <= longest
        self._may_end = shot.stop - 1 - self._places <= longest
        if at.size:
            self._may_begin &= places <= at[0]
            self._may_end &= places >= at[-1]
        self._parents: list[NDArray[np.int32]] = []
        self._ends = [0]
        self.losses = np.array([NEVER], np.int64)

    @property
    def fewest(self) -> int:
        """The smallest number of keys that keeps the gaps; 0 if none does."""
        counts = np.where(self._may_begin, 1, NEVER)
        for place, befores in enumerate(self._befores):
            if befores.size:
                counts[place] = min(counts[place], counts[befores].min() + 1)
        least = int(np.where(self._may_end, counts, NEVER).min())
        return least if least < NEVER else 0

    def solve(self, most_keys: int) -> None:
        """Fill in ``losses`` for up to ``most_keys`` keys, or until nothing is left to explain."""
        step = -(-len(self._shot) // _FRAMES)
        frames = np.arange(self._shot.start, self._shot.stop, step)
        places = self._places
        rows = [self._survey.explain(int(key), self._shot)[::step] for key in places]
        at = np.searchsorted(frames, places)
        after = np.searchsorted(frames, places, side="right")
        head = np.array([row[:i].sum(dtype=np.int64) for row, i in zip(rows, at, strict=True)])
        tail = np.array([row[i:].sum(dtype=np.int64) for row, i in zip(rows, after, strict=True)])
        head[~self._may_begin] = NEVER
        tail[~self._may_end] = NEVER
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
        width = max((p - int(q[0]) for p, q in enumerate(self._befores) if q.size), default=1)
        between = np.full((len(rows), width), NEVER, np.int64)
        for p, befores in enumerate(self._befores):
            for q in befores.tolist():
                part = slice(after[q], at[p])
                unexplained = np.minimum(rows[q][part], rows[p][part])
                between[p, p - q - 1] = unexplained.sum(dtype=np.int64)
        return between

    def keys(self, count: int) -> list[int]:
        """The frames of the best ``count`` keys, rising."""
        place = self._ends[count]
        chosen = [place]
        for parents in reversed(self._parents[: count - 1]):
            place = int(parents[place])
            chosen.append(place)
        return [int(self._places[place]) for place in reversed(chosen)]


def _allowed_befores(
    places: NDArray[np.int64], gaps: range, fixed: NDArray[np.bool_]
) -> list[NDArray[np.intp]]:
    """For each place, which places the key before may have; none may pass over a fixed one."""
    allowed = []
    last_fixed = -1
    for at, place in enumerate(places):
        first = int(np.searchsorted(places, place - (gaps.stop - 1)))
        stop = int(np.searchsorted(places, place - gaps.start, side="right"))
        befores = np.arange(max(first, last_fixed, 0), min(stop, at))
        if fixed[at] and last_fixed >= 0 and last_fixed not in befores:
            befores = np.concatenate([[last_fixed], befores])
        allowed.append(befores)
        last_fixed = at if fixed[at] else last_fixed
    return allowed


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
