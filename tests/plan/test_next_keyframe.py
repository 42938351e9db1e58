"""The next keyframe: the frame that lowers the error most, by measured error where available."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_samples import make_survey

from kadr.errors import OptionsError
from kadr.plan.next_keyframe import find_next_keyframe


@given(seed=st.integers(0, 50), keys=st.sets(st.integers(0, 19), min_size=1, max_size=5))
def test_no_other_frame_lowers_the_predicted_error_more(seed: int, keys: set[int]) -> None:
    survey = make_survey([12, 8], seed=seed)
    current = survey.curve(sorted(keys)).mean()
    gains = {
        key: current - survey.curve(sorted({*keys, key})).mean()
        for key in range(20)
        if key not in keys
    }
    result = find_next_keyframe(survey, sorted(keys))
    assert result is not None
    frame, gain = result
    assert frame not in keys
    assert gain == pytest.approx(max(gains.values()), abs=1e-3)


def test_measured_error_is_preferred() -> None:
    survey = make_survey([30], reach=30)
    keys = [5, 15, 25]
    measured = np.zeros(30)
    measured[[19, 20, 21]] = 0.3
    frame, gain = find_next_keyframe(survey, keys, measured.tolist()) or (None, 0)
    assert frame in (19, 20, 21)
    assert 0.1 / 30 < gain <= 0.9 / 30


def test_frames_without_a_measured_error_use_the_predicted_one() -> None:
    survey = make_survey([30], reach=30)
    measured = [None if index > 20 else 0.0 for index in range(30)]
    frame, _ = find_next_keyframe(survey, [5, 15], measured) or (0, 0)
    assert frame > 20


def test_nothing_to_gain_is_none() -> None:
    survey = make_survey([4])
    assert find_next_keyframe(survey, [0, 1, 2, 3]) is None
    assert find_next_keyframe(survey, [0, 3], [0.0] * 4) is None


def test_one_error_for_each_frame_is_required() -> None:
    with pytest.raises(OptionsError, match="3 measured errors: 4 frames were surveyed"):
        find_next_keyframe(make_survey([4]), [0], [0.1] * 3)
