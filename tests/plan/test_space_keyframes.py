"""Evenly spaced keyframes: within the budget, both ends included, no wide gap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.frames import FrameRange
from kadr.plan.keyframes import space_keyframes


@given(start=st.integers(0, 500), length=st.integers(1, 300), budget=st.integers(1, 400))
def test_keys_rise_evenly_from_end_to_end(start: int, length: int, budget: int) -> None:
    frames = FrameRange(start, start + length)
    keys = space_keyframes(frames, budget)
    assert len(keys) == min(budget, length)
    assert all(key in frames for key in keys)
    gaps = [b - a for a, b in itertools.pairwise(keys)]
    assert all(gap > 0 for gap in gaps)
    if len(keys) > 1:
        assert (keys[0], keys[-1]) == (start, start + length - 1)
        assert max(gaps) - min(gaps) <= 1 + (length > len(keys))


@given(start=st.integers(0, 500), length=st.integers(1, 300))
def test_one_key_goes_to_the_middle(start: int, length: int) -> None:
    (key,) = space_keyframes(FrameRange(start, start + length), 1)
    frames_before, frames_after = key - start, start + length - 1 - key
    assert abs(frames_before - frames_after) <= 1


@pytest.mark.parametrize(
    ("length", "budget", "expected"),
    [(11, 3, [0, 5, 10]), (100, 2, [0, 99]), (5, 9, [0, 1, 2, 3, 4]), (1, 5, [0])],
)
def test_known_answers(length: int, budget: int, expected: list[int]) -> None:
    assert space_keyframes(FrameRange(0, length), budget) == expected
