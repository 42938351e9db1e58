"""Keys are chosen for small regions with a motion of their own, too: a mouth that opens."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr import CancelToken, FrameRange, open_clip, survey_clip
from kadr.core.events import follow
from kadr.plan import shot_planner
from kadr.plan.coverage import Survey
from kadr.plan.keyframes import choose_keyframes
from plan.survey_samples import make_survey
from scenes import sliding, write_sequence

_OPEN = range(27, 33)


def _talking(count: int) -> list[np.ndarray]:
    """A face before a background that slides by; its mouth, a 240th of the picture, opens once."""
    rng = np.random.default_rng(5)
    images = []
    for index, background in enumerate(sliding(count, 0.25, height=144, width=192, seed=2)):
        image = background.copy()
        cv2.ellipse(image, (96, 72), (30, 40), 0, 0, 360, (200, 160, 140), -1, cv2.LINE_AA)
        height = 6 if index in _OPEN else 1
        cv2.ellipse(image, (96, 92), (10, height), 0, 0, 360, (60, 20, 30), -1, cv2.LINE_AA)
        if index in _OPEN:
            cv2.ellipse(image, (96, 89), (7, 2), 0, 0, 360, (240, 240, 235), -1, cv2.LINE_AA)
            cv2.ellipse(image, (96, 95), (6, 2), 0, 0, 360, (200, 60, 70), -1, cv2.LINE_AA)
        noisy = image + rng.normal(0, 3, image.shape)
        images.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return images


def test_a_mouth_that_opens_gets_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_clip(write_sequence(tmp_path / "in", _talking(49))) as clip:
        survey = follow(survey_clip(clip, FrameRange(0, 49), cancel=CancelToken()))
    assert any(key in _OPEN for key in choose_keyframes(survey, 3))
    monkeypatch.setattr(shot_planner, "SMALL_WEIGHT", 0.0)
    assert not any(key in _OPEN for key in choose_keyframes(survey, 3)), "means alone hide it"


def test_small_regions_decide_among_keys_that_leave_the_same() -> None:
    plain = make_survey([13], reach=12)
    flat = np.full_like(plain.unexplained, 40)
    flat[:, plain.reach] = 0
    small = np.zeros_like(flat)
    for row, key in enumerate(plain.candidates.tolist()):
        frames = plain.reach + np.arange(7, 10) - key
        small[row, frames] = 0 if 7 <= key < 10 else 200
    survey = Survey(plain.frames, plain.shots, plain.candidates, flat, small)
    assert choose_keyframes(survey, 1)[0] in range(7, 10)
    assert survey.coverage([0]) == survey.coverage([8]), "predictions are the plain means"
