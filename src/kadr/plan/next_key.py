"""A survey, keys and the error measured with them in, the next frame worth painting out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kadr.errors import OptionsError
from kadr.plan.coverage import Survey

_LEAST = 1.0 / 255
"""Predicted error below which a frame counts as explained, so that its quotient means little."""


def next_key(
    survey: Survey, keys: Sequence[int], measured: Sequence[float | None] | None = None
) -> tuple[int, float] | None:
    """The frame that, as one more key, would save most, and the mean error a frame it would save.

    measured: the error of every surveyed frame after a run with ``keys``, 0–1; where it is None
    the predicted one is taken. Of a frame's error a new key is expected to leave the share that
    the plan expects it to. None when no frame would save anything.
    """
    predicted = survey.curve(keys)
    now = predicted.copy()
    if measured is not None:
        if len(measured) != now.size:
            raise OptionsError(
                f"{len(measured)} measured errors: {now.size} frames were surveyed; "
                "give one a frame"
            )
        for at, error in enumerate(measured):
            now[at] = predicted[at] if error is None else error
    best: tuple[int, float] | None = None
    for key in survey.candidates.tolist():
        if key in keys:
            continue
        shot = survey.shot(key)
        part = slice(shot.start - survey.frames.start, shot.stop - survey.frames.start)
        left = survey.shot_curve(shot, [*(k for k in keys if k in shot), key])
        share = np.minimum(left / np.maximum(predicted[part], _LEAST), 1.0)
        gain = float((now[part] * (1 - share)).sum()) / len(survey.frames)
        if gain > (best[1] if best else 0.0):
            best = key, gain
    return best
