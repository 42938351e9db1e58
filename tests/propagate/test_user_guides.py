"""Guides of the user's: where they refute a transport, by weight and modulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.guides.transport import identity
from kadr.propagate import GuideFrame, UserGuides
from kadr.propagate.user_guides import modulations

SHAPE = (12, 16)


def _image(level: float, channels: int = 1) -> np.ndarray:
    return np.full((*SHAPE, channels), level, np.uint8)


def _agreement(key: np.ndarray, frame: np.ndarray, weight: float, **changed: object) -> np.ndarray:
    guides = UserGuides([weight], [GuideFrame(key)], lambda index: [])
    return guides.agreement(identity(*SHAPE), [GuideFrame(frame, **changed)])


@pytest.mark.parametrize(
    ("level", "weight", "expected"),
    [(100, 32, 1), (107, 32, 1), (119, 32, 0), (119, 1, 1), (220, 1, 0), (220, 0, 1)],
)
def test_levels_count_as_far_as_the_weight_says(level: int, weight: float, expected: float) -> None:
    for channels in (1, 3):
        agreement = _agreement(_image(100, channels), _image(level, channels), weight)
        assert np.array_equal(agreement, np.full(SHAPE, expected, np.float32))


def test_where_the_modulation_is_black_nothing_is_refuted() -> None:
    modulation = np.zeros(SHAPE, np.float32)
    modulation[:, 8:] = 1
    agreement = _agreement(_image(0), _image(250), 16, modulation=modulation)
    assert (agreement[:, :8] == 1).all()
    assert (agreement[:, 8:] == 0).all()
    frame = [GuideFrame(_image(0)), GuideFrame(_image(0), modulation)]
    levels = modulations(frame, SHAPE)
    assert [int(item.min()) for item in levels] == [255, 0]


def test_a_border_may_lie_a_pixel_aside() -> None:
    key, frame = _image(0), _image(0)
    key[:, 8:] = frame[:, 9:] = 200
    assert (_agreement(key, frame, 100) == 1).all()
    frame[:, 9:11] = 0
    assert np.flatnonzero((_agreement(key, frame, 100) == 0).any(axis=0)).tolist() == [9, 10]


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 500), st.floats(0, 500))
def test_more_weight_never_agrees_more(first: int, second: int, a: float, b: float) -> None:
    agreements = [_agreement(_image(first), _image(second), weight) for weight in sorted((a, b))]
    assert (agreements[0] >= agreements[1]).all()
    assert all(0 <= item.min() <= item.max() <= 1 for item in agreements)
