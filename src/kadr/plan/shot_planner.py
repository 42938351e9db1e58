"""Find the best keyframes of one shot for every number of keyframes, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import FrameRange
from kadr.plan.coverage import Survey

IMPOSSIBLE = np.iinfo(np.int64).max // 4
"""The loss of a choice that is not allowed."""

_MAX_COMPARISONS = 400_000_000
"""Block comparisons for a shot, about a second; longer shots use fewer candidates."""
_MAX_FRAMES = 1000
"""Compared frames of a shot; a longer shot uses every second, third … frame."""
_MIN_STEPS = 4
"""Candidates that the largest gap must span; otherwise every frame becomes a candidate."""

SMALL_WEIGHT = 1.0
"""Weight of what a key leaves unexplained of the small region of a block, such as a mouth, beside
what it leaves of the block: a region of a hundredth of the picture counts for a few hundredths."""

Losses = NDArray[np.int64]


class ShotPlanner:
    """The least loss of a shot for each number of keys, and the keys it takes.

    losses: (M + 1,) int64 after ``solve``; [m] is the loss with m keys, IMPOSSIBLE where no choice
    is allowed. A loss is the sum over frames and blocks of the share that no neighbouring key
    explains, in 255ths of a block, small regions counted besides. Dynamic programming over the
    position of the last key.
    """

    def __init__(
        self, survey: Survey, shot: FrameRange, gaps: range, fixed_keys: Sequence[int] = ()
    ) -> None:
        """gaps: allowed distances from a key to the next; the largest also limits the shot's ends.

        fixed_keys: keys that must be chosen; gaps between two of them are not checked.
        """
        self._survey, self._shot = survey, shot
        self._positions = np.union1d(_positions(survey, shot, gaps), np.array(fixed_keys, np.int64))
        fixed = np.isin(self._positions, np.array(fixed_keys, np.int64))
        self._predecessors = _allowed_predecessors(self._positions, gaps, fixed)
        max_gap, fixed_indices = gaps.stop - 1, np.flatnonzero(fixed)
        indices = np.arange(self._positions.size)
        self._may_be_first = self._positions - shot.start <= max_gap
        self._may_be_last = shot.stop - 1 - self._positions <= max_gap
        if fixed_indices.size:
            self._may_be_first &= indices <= fixed_indices[0]
            self._may_be_last &= indices >= fixed_indices[-1]
        self._parents: list[NDArray[np.int32]] = []
        self._ends = [0]
        self.losses = np.array([IMPOSSIBLE], np.int64)

    @property
    def fewest(self) -> int:
        """The smallest number of keys with allowed gaps; 0 if there is none."""
        counts = np.where(self._may_be_first, 1, IMPOSSIBLE)
        for position, predecessors in enumerate(self._predecessors):
            if predecessors.size:
                counts[position] = min(counts[position], counts[predecessors].min() + 1)
        least = int(np.where(self._may_be_last, counts, IMPOSSIBLE).min())
        return least if least < IMPOSSIBLE else 0

    def solve(self, most_keys: int) -> None:
        """Fill in ``losses`` for up to ``most_keys`` keys, or until the loss is 0."""
        step = -(-len(self._shot) // _MAX_FRAMES)
        frames = np.arange(self._shot.start, self._shot.stop, step)
        positions = self._positions
        rows = [self._rows(int(key), step) for key in positions]
        first_frames = np.searchsorted(frames, positions)
        next_frames = np.searchsorted(frames, positions, side="right")
        losses_before = np.array(
            [row[:i].sum(dtype=np.int64) for row, i in zip(rows, first_frames, strict=True)]
        )
        losses_after = np.array(
            [row[i:].sum(dtype=np.int64) for row, i in zip(rows, next_frames, strict=True)]
        )
        losses_before[~self._may_be_first] = IMPOSSIBLE
        losses_after[~self._may_be_last] = IMPOSSIBLE
        between = self._between(rows, first_frames, next_frames)
        losses, self._ends, self._parents = [IMPOSSIBLE], [0], []
        best = losses_before
        while len(losses) <= min(most_keys, positions.size) and losses[-1] > 0:
            if len(losses) > 1:
                best = self._add_key(best, between)
            total = np.minimum(best + losses_after, IMPOSSIBLE)
            self._ends.append(int(total.argmin()))
            losses.append(int(total.min()))
        self.losses = np.array([loss if loss == IMPOSSIBLE else loss * step for loss in losses])

    def _rows(self, key: int, step: int) -> NDArray[np.uint16]:
        """(n, B): what a key leaves of each frame."""
        shares = self._survey.explain(key, self._shot)[::step].astype(np.uint16)
        small = self._survey.explain_small(key, self._shot)
        if small is not None:
            shares += np.rint(np.float32(SMALL_WEIGHT) * small[::step]).astype(np.uint16)
        return shares

    def _add_key(self, best: Losses, between: Losses) -> Losses:
        """The least loss up to each position with one key more; stores the previous key."""
        width = between.shape[1]
        padded = np.full(best.size + width, IMPOSSIBLE, np.int64)
        padded[width:] = best
        totals = np.stack(
            [padded[width - 1 - j : padded.size - 1 - j] for j in range(width)], axis=1
        )
        totals = np.minimum(totals + between, IMPOSSIBLE)
        choice = totals.argmin(axis=1)
        self._parents.append(np.arange(best.size, dtype=np.int32) - 1 - choice.astype(np.int32))
        best_losses: Losses = np.take_along_axis(totals, choice[:, None], axis=1)[:, 0]
        return best_losses

    def _between(
        self,
        rows: list[NDArray[np.uint16]],
        first_frames: NDArray[np.intp],
        next_frames: NDArray[np.intp],
    ) -> Losses:
        """(P, W): the loss strictly between position p and the position j + 1 before it."""
        width = max((p - int(q[0]) for p, q in enumerate(self._predecessors) if q.size), default=1)
        between = np.full((len(rows), width), IMPOSSIBLE, np.int64)
        for p, predecessors in enumerate(self._predecessors):
            for q in predecessors.tolist():
                part = slice(next_frames[q], first_frames[p])
                unexplained = np.minimum(rows[q][part], rows[p][part])
                between[p, p - q - 1] = unexplained.sum(dtype=np.int64)
        return between

    def keys(self, count: int) -> list[int]:
        """The frames of the best ``count`` keys, in order."""
        position = self._ends[count]
        chosen = [position]
        for parents in reversed(self._parents[: count - 1]):
            position = int(parents[position])
            chosen.append(position)
        return [int(self._positions[position]) for position in reversed(chosen)]


def _allowed_predecessors(
    positions: NDArray[np.int64], gaps: range, fixed: NDArray[np.bool_]
) -> list[NDArray[np.intp]]:
    """For each position the allowed positions of the previous key; never across a fixed key."""
    allowed = []
    last_fixed = -1
    for index, position in enumerate(positions):
        first = int(np.searchsorted(positions, position - (gaps.stop - 1)))
        stop = int(np.searchsorted(positions, position - gaps.start, side="right"))
        predecessors = np.arange(max(first, last_fixed, 0), min(stop, index))
        if fixed[index] and last_fixed >= 0 and last_fixed not in predecessors:
            predecessors = np.concatenate([[last_fixed], predecessors])
        allowed.append(predecessors)
        last_fixed = index if fixed[index] else last_fixed
    return allowed


def _positions(survey: Survey, shot: FrameRange, gaps: range) -> NDArray[np.int64]:
    """Possible positions of keys: the candidates of the shot, fewer of them in a long shot.

    If the candidates are too far apart for the gaps, every frame is a position.
    """
    candidates = survey.candidates[
        (survey.candidates >= shot.start) & (survey.candidates < shot.stop)
    ]
    step = int(np.diff(candidates).max()) if candidates.size > 1 else len(shot)
    max_gap, gap_count = gaps.stop - 1, len(gaps)
    if max_gap < min(_MIN_STEPS * step, len(shot)) or gap_count <= step:
        candidates = np.arange(shot.start, shot.stop, dtype=np.int64)
        step = 1
    length = min(len(shot), _MAX_FRAMES)
    max_distance = min(max_gap, len(shot))
    stride = 1
    while (
        candidates.size
        / stride
        * min(candidates.size, max_distance / step)
        / stride
        * length
        * survey.blocks
        > 4 * _MAX_COMPARISONS
        and step * (stride + 1) <= max_gap
        and gap_count > step * (stride + 1)
    ):
        stride += 1
    return candidates[::stride]
