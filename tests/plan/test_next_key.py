"""The next frame worth painting: the one that saves most, by measured error where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_samples import make_survey

from kadr.errors import OptionsError
from kadr.plan.next_key import next_key


@given(seed=st.integers(0, 50), keys=st.sets(st.integers(0, 19), min_size=1, max_size=5))
def test_no_other_frame_is_predicted_to_save_more(seed: int, keys: set[int]) -> None:
    survey = make_survey([12, 8], seed=seed)
    now = survey.curve(sorted(keys)).mean()
    gains = {
        key: now - survey.curve(sorted({*keys, key})).mean() for key in range(20) if key not in keys
    }
    found = next_key(survey, sorted(keys))
    assert found is not None
    frame, gain = found
    assert frame not in keys
    assert gain == pytest.approx(max(gains.values()), abs=1e-3)


def test_measured_error_has_the_last_word() -> None:
    survey = make_survey([30], reach=30)
    keys = [5, 15, 25]
    measured = np.zeros(30)
    measured[[19, 20, 21]] = 0.3
    frame, gain = next_key(survey, keys, measured.tolist()) or (None, 0)
    assert frame in (19, 20, 21)
    assert 0.1 / 30 < gain <= 0.9 / 30


def test_frames_not_made_yet_count_as_predicted() -> None:
    survey = make_survey([30], reach=30)
    measured = [None if index > 20 else 0.0 for index in range(30)]
    frame, _ = next_key(survey, [5, 15], measured) or (0, 0)
    assert frame > 20


def test_nothing_to_gain_is_none() -> None:
    survey = make_survey([4])
    assert next_key(survey, [0, 1, 2, 3]) is None
    assert next_key(survey, [0, 3], [0.0] * 4) is None


def test_one_error_a_frame_is_asked_for() -> None:
    with pytest.raises(OptionsError, match="3 measured errors: 4 frames were surveyed"):
        next_key(make_survey([4]), [0], [0.1] * 3)
