"""Choose keyframes within a budget: evenly spaced, or where they explain most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.plan.coverage import Survey
from kadr.plan.shot_planner import IMPOSSIBLE, Losses, ShotPlanner


def space_keyframes(frames: FrameRange, budget: int) -> list[int]:
    """Up to ``budget`` keyframes, spread evenly, first and last frame included.

    A single key is placed in the middle, where no frame is far from it.
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
    existing_keys: Sequence[int] = (),
) -> list[int]:
    """Up to ``budget`` keyframes, in order, that leave the least unexplained; some in every shot.

    Exact over the surveyed candidates: minimizes the sum over all frames of the share that neither
    neighbouring key explains; of equal choices it takes the one with fewest keys.
    min_gap: fewest frames from a key to the next of its shot. max_gap: most frames from a key to
    the next, and to the ends of its shot; takes precedence over the explained share.
    existing_keys: keys that exist already and count; the others are chosen around them. Gaps
    between two of them are not checked.

    Raises OptionsError, which says how many keys are needed, if the budget is too small for one key
    in every shot or for ``max_gap``.
    """
    gaps = range(min_gap or 1, (max_gap or len(survey.frames)) + 1)
    if not gaps:
        raise OptionsError(f"min-gap {min_gap}: is more than max-gap {max_gap}; lower it")
    existing_by_shot = [
        [key for key in sorted(set(existing_keys)) if key in shot] for shot in survey.shots
    ]
    shots = [
        ShotPlanner(survey, shot, gaps, existing_in_shot)
        for shot, existing_in_shot in zip(survey.shots, existing_by_shot, strict=True)
    ]
    fewest = [shot.fewest for shot in shots]
    fewest_total = sum(fewest)
    if not all(fewest):
        raise OptionsError(
            f"min-gap {min_gap}, max-gap {max_gap}: no choice of keys fits both; "
            "set them further apart"
        )
    if fewest_total > budget:
        raise OptionsError(
            _budget_error(len(shots), budget, fewest_total, max_gap, len(existing_keys))
        )
    for shot, shot_fewest in zip(shots, fewest, strict=True):
        shot.solve(budget - fewest_total + shot_fewest)
    counts = _distribute([shot.losses for shot in shots], budget)
    return [key for shot, count in zip(shots, counts, strict=True) for key in shot.keys(count)]


def _distribute(losses: Sequence[Losses], budget: int) -> list[int]:
    """The number of keys for each shot that minimizes the sum of all losses."""
    best = np.full(budget + 1, IMPOSSIBLE, np.int64)
    best[0] = 0
    choices = []
    for shot_losses in losses:
        totals = np.full((shot_losses.size, budget + 1), IMPOSSIBLE, np.int64)
        for count in range(min(shot_losses.size, budget + 1)):
            totals[count, count:] = np.minimum(
                shot_losses[count] + best[: budget + 1 - count], IMPOSSIBLE
            )
        choices.append(totals.argmin(axis=0))
        best = totals.min(axis=0)
    remaining = int(best.argmin())
    counts = []
    for choice in reversed(choices):
        counts.append(int(choice[remaining]))
        remaining -= counts[-1]
    return counts[::-1]


def _budget_error(
    shots: int, budget: int, needed: int, max_gap: int | None, existing_count: int
) -> str:
    subject = f"{shots} shots need" if shots > 1 else "one shot needs"
    gap = "" if max_gap is None else f" with max-gap {max_gap}"
    gap += f", including {existing_count} existing ones" if existing_count else ""
    return f"keys-budget {budget}: {subject} {needed} keys{gap}; give at least {needed}"
