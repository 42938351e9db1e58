"""Synthetic surveys, and the plain twin of the choice of keyframes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from kadr.core.frames import FrameRange
from kadr.plan.coverage import Survey


def make_survey(
    lengths: Sequence[int],
    *,
    reach: int = 6,
    blocks: int = 2,
    spacing: int = 1,
    seed: int = 0,
    first: int = 0,
) -> Survey:
    """A survey of shots of these lengths with random losses that mostly grow with distance."""
    rng = np.random.default_rng(seed)
    edges = [first, *(first + np.cumsum(lengths)).tolist()]
    shots = tuple(FrameRange(a, b) for a, b in itertools.pairwise(edges))
    candidates = np.concatenate([np.arange(s.start, s.stop, spacing) for s in shots])
    distance = np.abs(np.arange(-reach, reach + 1))[None, :, None]
    noise = rng.integers(0, 30, (candidates.size, 2 * reach + 1, blocks))
    unexplained = np.minimum(distance * 12 + noise * (distance > 0), 255).astype(np.uint8)
    return Survey(FrameRange(edges[0], edges[-1]), shots, candidates.astype(np.int64), unexplained)


def best_loss(
    survey: Survey, budget: int, gaps: range, fixed_keys: Sequence[int] = ()
) -> float | None:
    """The least mean predicted error of all allowed choices, by brute force; None if none."""
    best = None
    positions = sorted({*survey.candidates.tolist(), *fixed_keys})
    for count in range(1, budget + 1):
        for keys in itertools.combinations(positions, count):
            if set(fixed_keys) <= set(keys) and _is_allowed(survey, keys, gaps, fixed_keys):
                loss = float(survey.curve(keys).mean())
                best = loss if best is None else min(best, loss)
    return best


def _is_allowed(
    survey: Survey, keys: Sequence[int], gaps: range, fixed_keys: Sequence[int]
) -> bool:
    for shot in survey.shots:
        shot_keys = [key for key in keys if key in shot]
        if (
            not shot_keys
            or shot_keys[0] - shot.start >= gaps.stop
            or shot.stop - 1 - shot_keys[-1] >= gaps.stop
        ):
            return False
        for a, b in itertools.pairwise(shot_keys):
            if b - a not in gaps and not (a in fixed_keys and b in fixed_keys):
                return False
    return True
