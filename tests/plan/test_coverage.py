"""Coverage of a survey: keys explain themselves, cuts are never crossed, more keys never worse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_samples import make_survey

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError

_KEYS = st.sets(st.integers(3, 24), max_size=6)


@given(keys=_KEYS, seed=st.integers(0, 9))
def test_keys_explain_themselves_and_their_shot_only(keys: set[int], seed: int) -> None:
    survey = make_survey([10, 4, 8], seed=seed, first=3)
    curve = survey.curve(sorted(keys))
    assert curve.shape == (22,)
    assert ((curve >= 0) & (curve <= 1)).all()
    for index, error in enumerate(curve, start=3):
        shot = survey.shot(index)
        if index in keys:
            assert error == 0
        elif not any(key in shot for key in keys):
            assert error == 1
    assert survey.coverage(sorted(keys)) == pytest.approx(1 - curve.mean())


@given(keys=_KEYS, extra=st.integers(0, 9), seed=st.integers(0, 9))
def test_a_key_lies_between_its_neighbours(keys: set[int], extra: int, seed: int) -> None:
    """A frame uses the better of the previous and the next key, and no other."""
    survey = make_survey([22], seed=seed, first=3)
    curve = survey.curve(sorted(keys))
    for index in range(3, 25):
        previous = max((key for key in keys if key <= index), default=None)
        next_key = min((key for key in keys if key >= index), default=None)
        rows = [
            survey.explain(key, FrameRange(index, index + 1))[0]
            for key in {previous, next_key} - {None}
            if key is not None
        ]
        expected = np.min(rows, axis=0).mean() / 255 if rows else 1
        assert curve[index - 3] == pytest.approx(expected)


def test_known_losses() -> None:
    survey = make_survey([9], reach=3, blocks=1)
    survey.unexplained[:, :, 0] = np.array([60, 40, 20, 0, 20, 40, 60], np.uint8)
    assert survey.explain(4, FrameRange(0, 9))[:, 0].tolist() == [80, 60, 40, 20, 0, 20, 40, 60, 80]
    assert survey.curve([0, 8])[4] == pytest.approx(80 / 255)


def test_between_candidates_the_nearest_is_used() -> None:
    survey = make_survey([12], spacing=4, reach=12)
    row = survey.explain(4, FrameRange(0, 12))
    shifted = survey.explain(5, FrameRange(0, 12))
    assert (shifted[5] == 0).all()
    assert (np.delete(shifted, 5, axis=0) == np.delete(row, 5, axis=0)).all()


def test_a_frame_outside_is_rejected() -> None:
    survey = make_survey([5], first=10)
    with pytest.raises(OptionsError, match=r"frame 9: is not among the surveyed frames 10–14"):
        survey.shot(9)
