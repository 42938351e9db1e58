"""Find gradual transitions of a clip: dissolves, and fades from one picture into another.

In the middle of a dissolve a frame is a weighted sum of a frame before it and a frame after it, and
its contrast is lower than theirs. Both pictures are aligned with the middle before the weights are
fitted, since cameras and people move during a transition. The conditions reject everything else
that turns one picture into another: after a pan or a zoom, the picture before is found again in
the middle, only moved; a passing object hides a part of the picture and leaves the rest; after a
flash, or a hand before the lens, the old picture returns.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image

Thumbnail = NDArray[np.float32]

_SIZE = 32
"""Side of the thumbnails in pixels."""
_SHIFT = 5
"""Largest motion in thumbnail pixels between the middle and a frame before or after it."""
_WIDE_SHIFT = 6
"""Largest motion in thumbnail pixels in the search for the same picture."""
_DISTANCES = (5, 7, 9, 12, 16, 20, 24)
"""Distances in frames from the middle to the frames before and after that are tried."""
REACH = max(_DISTANCES)
"""Largest distance in frames between the middle of a transition and a frame compared with it."""
DELAY = 2 * REACH
"""Number of later frames after which it is certain whether a transition has its middle here."""

_MIN_CONTRAST = 9.0
"""Smallest variance of a picture, in levels of 255 squared, that has content to compare."""
_MAX_BLANK = 0.05
"""Contrast of the middle of a fade as a fraction of the contrast before and after it."""
_FADED_WEIGHTS = (0.15, 0.8)
"""Range of the weight of a picture halfway through a fade."""
_MAX_MIDDLE_CONTRAST = 0.72
"""Contrast of the middle as a fraction of the mean of before and after; 0.5 for unlike pictures."""
_MIN_EXPLAINED = 0.8
"""Smallest fraction of the middle's variance that the weighted sum explains."""
_WEIGHTS = (0.3, 0.75)
"""Range of both weights in the middle."""
_MAX_OFF_MIDDLE = 0.13
"""Largest difference of the later picture's share from one half in the middle."""
_MIN_RISE = 0.12
"""Smallest rise of the later picture's share over half the distance."""
_MIN_EXPLAINED_BESIDE = 0.75
"""Smallest explained fraction halfway between the middle and the frames before and after."""
_MAX_SAME = 0.6
"""Largest correlation between the pictures before and after."""
_MAX_MOVED = 0.86
"""Largest correlation of the middle with the picture before, or after, moved."""
_HALF = np.float32(0.5)
_BLOCKS = 4
"""Number of blocks along each side, in each of which the sum has to explain the middle."""
_MAX_BLOCK_ERROR = 0.35
_MIN_BLOCKS = 0.75
"""Fraction of the blocks whose unexplained variance has to be below ``_MAX_BLOCK_ERROR``."""


@dataclass(frozen=True, order=True)
class _Candidate:
    """A frame that may be the middle of a transition; compared by score, then the earlier wins."""

    score: float
    negative_index: int

    @property
    def index(self) -> int:
        return -self.negative_index


class TransitionFinder:
    """Finds gradual transitions in a stream of frames; reports each one ``DELAY`` frames later."""

    def __init__(self) -> None:
        self._recent: deque[Thumbnail] = deque(maxlen=2 * REACH + 1)
        self._last: int | None = None
        self._next_middle = 0
        self._candidates: list[_Candidate] = []
        self._reported = 0

    def add(self, index: int, image: Image) -> list[int]:
        """Add the next frame, (H, W, 3) uint8 RGB; returns the middles that are certain now.

        Indices rise by one from call to call.
        """
        if self._last is None:
            self._next_middle = self._reported = index
        self._last = index
        self._recent.append(_thumbnail(image))
        self._judge_until(index - REACH)
        return self._report_until(index - DELAY)

    def finish(self) -> list[int]:
        """The remaining middles, after the last frame."""
        if self._last is None:
            return []
        self._judge_until(self._last)
        return self._report_until(self._last)

    def _judge_until(self, last_middle: int) -> None:
        for middle in range(self._next_middle, last_middle + 1):
            score = self._score(middle)
            if score is not None:
                self._candidates.append(_Candidate(score, -middle))
        self._next_middle = max(self._next_middle, last_middle + 1)

    def _score(self, middle: int) -> float | None:
        """How well a frame fits the middle of a transition, the larger the better, or None."""
        assert self._last is not None, "a middle comes after a frame"
        oldest = self._last - len(self._recent) + 1
        scores = []
        for distance in _DISTANCES:
            if middle - distance < oldest or middle + distance > self._last:
                break
            offsets = (-distance, -(distance // 2), 0, distance // 2, distance)
            frames = _Frames(*(self._recent[middle + offset - oldest] for offset in offsets))
            scores.append(_score_dissolve(frames) or _score_fade(frames))
        return max((score for score in scores if score is not None), default=None)

    def _report_until(self, last: int) -> list[int]:
        """The middles up to a frame: candidates that are the best within reach of themselves."""
        middles = [
            candidate.index
            for candidate in self._candidates
            if self._reported <= candidate.index <= last and self._is_best(candidate)
        ]
        self._reported = max(self._reported, last + 1)
        self._candidates = [c for c in self._candidates if c.index >= self._reported - REACH]
        return middles

    def _is_best(self, candidate: _Candidate) -> bool:
        return candidate == max(
            rival for rival in self._candidates if abs(rival.index - candidate.index) <= REACH
        )


class _Frames(NamedTuple):
    """Thumbnails of five frames at even distances, in order."""

    before: Thumbnail
    early: Thumbnail
    middle: Thumbnail
    late: Thumbnail
    after: Thumbnail


class _WeightedSum(NamedTuple):
    """A frame as the sum of a picture before and one after, each aligned with it."""

    weight_before: float
    weight_after: float
    target: Thumbnail
    residual: Thumbnail

    @property
    def explained(self) -> float:
        """Fraction of the variance that the sum explains."""
        return 1 - _contrast(self.residual) / max(_contrast(self.target), 1e-6)

    @property
    def share_after(self) -> float:
        """Weight of the later picture as a fraction of both; one half if both are small."""
        total = self.weight_before + self.weight_after
        return self.weight_after / total if total > _WEIGHTS[0] else 0.5


def _score_dissolve(frames: _Frames) -> float | None:
    before, middle, after = frames.before, frames.middle, frames.after
    contrasts = _contrast(before), _contrast(after)
    if min(contrasts) < _MIN_CONTRAST:
        return None
    if _contrast(middle) > _MAX_MIDDLE_CONTRAST * sum(contrasts) / 2:
        return None
    both = _fit(frames, middle)
    low, high = _WEIGHTS
    off_middle = abs(both.share_after - 0.5)
    if both.explained < _MIN_EXPLAINED or off_middle > _MAX_OFF_MIDDLE:
        return None
    if not (low < both.weight_before < high and low < both.weight_after < high):
        return None
    same = _correlation(before, after)
    if same > _MAX_SAME or _explained_blocks(both) < _MIN_BLOCKS:
        return None
    if max(_correlation(before, middle), _correlation(after, middle)) > _MAX_MOVED:
        return None
    early, late = _fit(frames, frames.early), _fit(frames, frames.late)
    if min(early.explained, late.explained) < _MIN_EXPLAINED_BESIDE:
        return None
    if early.share_after > both.share_after - _MIN_RISE:
        return None
    if late.share_after < both.share_after + _MIN_RISE:
        return None
    return both.explained - same - off_middle


def _score_fade(frames: _Frames) -> float | None:
    """A fade to black, white or another plain colour, and from it into another picture."""
    contrasts = _contrast(frames.before), _contrast(frames.after)
    if min(contrasts) < _MIN_CONTRAST:
        return None
    if _contrast(frames.middle) > _MAX_BLANK * min(contrasts):
        return None
    if min(map(_blocks_with_content, (frames.before, frames.after))) < _MIN_BLOCKS:
        return None
    same = _correlation(frames.before, frames.after)
    if same > _MAX_SAME:
        return None
    early, late = _fit(frames, frames.early), _fit(frames, frames.late)
    weights = early.weight_before, late.weight_after
    low, high = _FADED_WEIGHTS
    if not all(
        low < weight < high
        and half.explained > _MIN_EXPLAINED
        and _explained_blocks(half) >= _MIN_BLOCKS
        for weight, half in zip(weights, (early, late), strict=True)
    ):
        return None
    return 1 - same - abs(weights[0] - weights[1])


def _thumbnail(image: Image) -> Thumbnail:
    """(S, S) float32: luma without its slow changes over the picture, mean 0.

    Light and exposure change slowly over a picture, so that they are left out.
    """
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    reduced = cv2.resize(luma, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = cv2.GaussianBlur(reduced - cv2.GaussianBlur(reduced, (0, 0), 6), (0, 0), 1)
    centered: Thumbnail = detail - detail.mean()
    return centered


def _contrast(thumbnail: Thumbnail) -> float:
    return float(np.square(thumbnail).mean())


def _fit(frames: _Frames, frame: Thumbnail) -> _WeightedSum:
    """The least squares fit of a frame to the pictures before and after, aligned with it."""
    target = frame[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    before = _aligned(frames.before, target)
    after = _aligned(frames.after, target - _HALF * before)
    before = _aligned(frames.before, target - _HALF * after)
    after = _aligned(frames.after, target - _HALF * before)
    target, before, after = (part - part.mean() for part in (target, before, after))
    square_before, square_after = _contrast(before), _contrast(after)
    product = float((before * after).mean())
    along_before, along_after = (float((part * target).mean()) for part in (before, after))
    determinant = square_before * square_after - product * product + 1e-3
    weight_before = (along_before * square_after - along_after * product) / determinant
    weight_after = (along_after * square_before - along_before * product) / determinant
    residual = target - weight_before * before - weight_after * after
    return _WeightedSum(weight_before, weight_after, target, residual)


def _aligned(picture: Thumbnail, target: Thumbnail) -> Thumbnail:
    """The part of a picture that correlates best with the smaller ``target``."""
    _, (x, y) = _best_position(picture, target)
    return picture[y : y + target.shape[0], x : x + target.shape[1]]


def _correlation(picture: Thumbnail, other: Thumbnail) -> float:
    """The largest correlation of two pictures over all motions up to ``_WIDE_SHIFT``."""
    inner = slice(_WIDE_SHIFT, -_WIDE_SHIFT)
    return max(
        _best_position(other, picture[inner, inner])[0],
        _best_position(picture, other[inner, inner])[0],
    )


def _best_position(picture: Thumbnail, part: Thumbnail) -> tuple[float, tuple[int, int]]:
    """Correlation and position (x, y) at which a part fits best into a picture."""
    correlations = cv2.matchTemplate(picture, part, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(correlations)
    return best, (x, y)


def _explained_blocks(both: _WeightedSum) -> float:
    """Fraction of the blocks that the sum explains."""
    error, contrast = (_block_means(np.square(part)) for part in (both.residual, both.target))
    return float((error < _MAX_BLOCK_ERROR * contrast).mean())


def _blocks_with_content(picture: Thumbnail) -> float:
    """Fraction of the blocks that are not plain; low for the edge of a plain object."""
    return float((_block_means(np.square(picture)) > _MIN_CONTRAST).mean())


def _block_means(values: Thumbnail) -> NDArray[np.float32]:
    means: NDArray[np.float32] = cv2.resize(
        values, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA
    )
    return means
