"""Find the frame whose painting as a keyframe would lower the error most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kadr.errors import OptionsError
from kadr.plan.coverage import Survey

_MIN_ERROR = 1.0 / 255
"""Lower bound of the predicted error in quotients, about the resolution of a survey."""


def find_next_keyframe(
    survey: Survey, keys: Sequence[int], measured: Sequence[float | None] | None = None
) -> tuple[int, float] | None:
    """The frame that lowers the error most as a new key, and by how much on average (per frame).

    measured: the error of every surveyed frame after a run with ``keys``, 0–1; where it is None
    the predicted error is used. A new key is expected to reduce the error of a frame by the same
    factor as its predicted error. None if no frame lowers the error.
    """
    predicted = survey.curve(keys)
    errors = predicted.copy()
    if measured is not None:
        if len(measured) != errors.size:
            raise OptionsError(
                f"{len(measured)} measured errors: {errors.size} frames were surveyed; "
                "give one a frame"
            )
        for position, error in enumerate(measured):
            errors[position] = predicted[position] if error is None else error
    best: tuple[int, float] | None = None
    for key in survey.candidates.tolist():
        if key in keys:
            continue
        shot = survey.shot(key)
        shot_frames = slice(shot.start - survey.frames.start, shot.stop - survey.frames.start)
        remaining = survey.shot_curve(shot, [*(k for k in keys if k in shot), key])
        remaining_share = np.minimum(
            remaining / np.maximum(predicted[shot_frames], _MIN_ERROR), 1.0
        )
        gain = float((errors[shot_frames] * (1 - remaining_share)).sum()) / len(survey.frames)
        if gain > (best[1] if best else 0.0):
            best = key, gain
    return best
