"""Chosen keyframes: the best of all choices, gaps respected, a key in every shot, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from survey_samples import best_loss, make_survey

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.plan.coverage import Survey
from kadr.plan.keyframes import choose_keyframes

_LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=3).filter(lambda n: sum(n) <= 12)


@settings(max_examples=60)
@given(lengths=_LENGTHS, budget=st.integers(1, 5), seed=st.integers(0, 99), first=st.integers(0, 9))
def test_no_other_choice_explains_more(
    lengths: list[int], budget: int, seed: int, first: int
) -> None:
    assume(budget >= len(lengths))
    survey = make_survey(lengths, seed=seed, first=first)
    keys = choose_keyframes(survey, budget)
    assert keys == sorted(set(keys))
    assert len(keys) <= budget
    assert all(any(key in shot for key in keys) for shot in survey.shots)
    best = best_loss(survey, budget, range(1, 99))
    assert survey.curve(keys).mean() == pytest.approx(best)


@settings(max_examples=60)
@given(
    length=st.integers(2, 11),
    budget=st.integers(1, 5),
    min_gap=st.integers(1, 4),
    extra=st.integers(0, 5),
    seed=st.integers(0, 99),
    fixed=st.sets(st.integers(0, 10), max_size=3),
)
def test_gaps_and_existing_keys_are_kept(
    length: int, budget: int, min_gap: int, extra: int, seed: int, fixed: set[int]
) -> None:
    survey = make_survey([length], seed=seed)
    existing = sorted(key for key in fixed if key < length)
    gaps = range(min_gap, min_gap + extra + 1)
    best = best_loss(survey, budget, gaps, existing)
    if best is None:
        with pytest.raises(OptionsError, match=r"give at least \d|set them further apart"):
            choose_keyframes(survey, budget, min_gap, min_gap + extra, existing_keys=existing)
        return
    keys = choose_keyframes(survey, budget, min_gap, min_gap + extra, existing_keys=existing)
    assert set(existing) <= set(keys)
    assert survey.curve(keys).mean() == pytest.approx(best)


def test_a_key_goes_where_the_image_changes() -> None:
    """Two still halves that do not explain each other."""
    count, reach = 20, 20
    unexplained = np.zeros((count, 2 * reach + 1, 1), np.uint8)
    for key, offset in itertools.product(range(count), range(-reach, reach + 1)):
        if (key < 15) != (key + offset < 15):
            unexplained[key, reach + offset] = 200
    frames = FrameRange(0, count)
    survey = Survey(frames, (frames,), np.arange(count), unexplained)
    (single,) = choose_keyframes(survey, 1)
    assert single < 15
    early, late = choose_keyframes(survey, 5)
    assert early < 15 <= late
    assert survey.coverage([early, late]) == 1
    assert survey.coverage([single]) == pytest.approx(1 - 5 / 20 * 200 / 255)


def test_the_budget_goes_to_the_shot_that_needs_it() -> None:
    survey = make_survey([10, 10], reach=10)
    survey.unexplained[:10] //= 16
    keys = choose_keyframes(survey, 6)
    assert [key < 10 for key in keys] == [True, False, False, False, False, False]


def test_a_small_budget_is_an_error_with_the_needed_number() -> None:
    survey = make_survey([5, 5, 5])
    with pytest.raises(OptionsError, match=r"keys-budget 2: 3 shots need 3 keys; give at least 3"):
        choose_keyframes(survey, 2)
    with pytest.raises(OptionsError, match="one shot needs 3 keys with max-gap 3; give at least 3"):
        choose_keyframes(make_survey([12]), 2, max_gap=3)
    with pytest.raises(OptionsError, match="min-gap 4: is more than max-gap 3"):
        choose_keyframes(survey, 9, 4, 3)
    with pytest.raises(OptionsError, match=r"need 4 keys, including 2 existing ones; give at"):
        choose_keyframes(survey, 3, existing_keys=[1, 3])


@pytest.mark.parametrize("max_gap", [1, 3, 7])
def test_gaps_finer_than_the_candidates_are_kept(max_gap: int) -> None:
    survey = make_survey([40], spacing=4, reach=40)
    keys = choose_keyframes(survey, 40, max_gap=max_gap)
    assert max(b - a for a, b in itertools.pairwise([0, *keys, 39])) <= max_gap


def test_a_long_shot_is_planned_in_time() -> None:
    survey = make_survey([3000], spacing=4, reach=64, blocks=16)
    survey.unexplained[:] = np.abs(np.arange(-64, 65))[None, :, None] // 4
    keys = choose_keyframes(survey, 12)
    gaps = [b - a for a, b in itertools.pairwise([0, *keys, 3000])]
    assert len(keys) == 12
    assert max(gaps) < 350, "such losses grow equally everywhere, so keys are spaced nearly evenly"
