"""Frames and a budget in, keyframes out: evenly spaced, or where they explain most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.plan.coverage import Survey
from kadr.plan.shot_keys import NEVER, Losses, ShotKeys


def space_keyframes(frames: FrameRange, budget: int) -> list[int]:
    """Up to ``budget`` keyframes, spread evenly, first and last frame included.

    One key alone goes to the middle, where no frame is far from it.
    """
    count = min(budget, len(frames))
    if count == 1:
        return [frames.start + (len(frames) - 1) // 2]
    step = (len(frames) - 1) / (count - 1)
    return [frames.start + round(i * step) for i in range(count)]


def choose_keyframes(
    survey: Survey,
    budget: int,
    min_gap: int | None = None,
    max_gap: int | None = None,
    *,
    given: Sequence[int] = (),
) -> list[int]:
    """Up to ``budget`` keyframes, in order, that leave the least unexplained; some in every shot.

    Exact over the surveyed candidates: the sum over all frames of what neither neighbouring key
    explains is the smallest there is, and of equal choices the one with fewest keys is taken.
    min_gap: fewest frames from a key to the next of its shot. max_gap: most frames from a key to
    the next, and to the ends of its shot; it has the last word over what is explained.
    given: keys that there are already, which count; the others are chosen around them. Gaps
    between two of them are as they are.

    Raises OptionsError, which says how many keys are needed, when the budget is too small to give
    every shot a key or to keep ``max_gap``.
    """
    gaps = range(min_gap or 1, (max_gap or len(survey.frames)) + 1)
    if not gaps:
        raise OptionsError(f"min-gap {min_gap}: is more than max-gap {max_gap}; lower it")
    kept = [[key for key in sorted(set(given)) if key in shot] for shot in survey.shots]
    shots = [
        ShotKeys(survey, shot, gaps, own) for shot, own in zip(survey.shots, kept, strict=True)
    ]
    fewest = [shot.fewest for shot in shots]
    needed = sum(fewest)
    if not all(fewest):
        raise OptionsError(
            f"min-gap {min_gap}, max-gap {max_gap}: leave no choice of keys; set them further apart"
        )
    if needed > budget:
        raise OptionsError(_too_few(len(shots), budget, needed, max_gap, len(given)))
    for shot, own_fewest in zip(shots, fewest, strict=True):
        shot.solve(budget - needed + own_fewest)
    counts = _share_out([shot.losses for shot in shots], budget)
    return [key for shot, count in zip(shots, counts, strict=True) for key in shot.keys(count)]


def _share_out(losses: Sequence[Losses], budget: int) -> list[int]:
    """How many keys each shot gets, so that all losses together are least."""
    best = np.full(budget + 1, NEVER, np.int64)
    best[0] = 0
    choices = []
    for own in losses:
        sums = np.full((own.size, budget + 1), NEVER, np.int64)
        for count in range(min(own.size, budget + 1)):
            sums[count, count:] = np.minimum(own[count] + best[: budget + 1 - count], NEVER)
        choices.append(sums.argmin(axis=0))
        best = sums.min(axis=0)
    left = int(best.argmin())
    counts = []
    for choice in reversed(choices):
        counts.append(int(choice[left]))
        left -= counts[-1]
    return counts[::-1]


def _too_few(shots: int, budget: int, needed: int, max_gap: int | None, given: int) -> str:
    what = f"{shots} shots need" if shots > 1 else "one shot needs"
    gap = "" if max_gap is None else f" with max-gap {max_gap}"
    gap += f", the {given} that there are counted" if given else ""
    return f"keys-budget {budget}: {what} {needed} keys{gap}; give at least {needed}"
