"""Curves of tone: monotone, bounded and smooth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.stylize.looks.tone import even_tone, smooth_step, soft_levels

RAMP = np.linspace(0, 1, 501, dtype=np.float32)


@given(st.integers(2, 24), st.floats(0.5, 12))
def test_soft_levels_rise_and_keep_their_range(count: int, hardness: float) -> None:
    levels = soft_levels(RAMP, count, hardness)
    assert (np.diff(levels) >= -1e-5).all()
    assert levels[0] == pytest.approx(0, abs=1e-4)
    assert levels[-1] == pytest.approx(1, abs=1e-4)
    assert np.abs(levels - RAMP).max() <= 0.5 / count + 1e-4


def test_hard_levels_are_few() -> None:
    levels = soft_levels(RAMP, 4, 12.0)
    steps = np.arange(5) / 4
    assert np.mean(np.abs(levels[:, None] - steps).min(axis=1) < 0.02) > 0.6


def test_smooth_step() -> None:
    np.testing.assert_allclose(
        smooth_step(np.array([0, 1, 2, 3, 9], np.float32), 1, 3), [0, 0, 0.5, 1, 1]
    )


def test_dark_films_are_lifted_and_bright_ones_stay() -> None:
    dark, bright = np.full((60, 80), 0.1, np.float32), np.full((60, 80), 0.8, np.float32)
    np.testing.assert_allclose(even_tone(dark, 0.2, 1.0), 0.6, atol=0.02)
    np.testing.assert_allclose(even_tone(dark, 0.2, 0.0), dark, atol=1e-4)
    np.testing.assert_allclose(even_tone(bright, 0.2, 1.0), bright, atol=1e-4)


def test_even_tone_keeps_the_order_within_a_surrounding() -> None:
    image = np.tile(np.linspace(0.02, 0.4, 64, dtype=np.float32), (64, 1))
    assert (np.diff(even_tone(image, 0.5, 1.0)[32, 16:48]) > 0).all()
