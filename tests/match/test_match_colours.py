"""Maps of colours between two paintings of the same surface."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.match.colours import fit_colours, from_lab, to_lab
from scenes import texture

HEIGHT, WIDTH = 60, 90


def _picture(seed: int = 3) -> np.ndarray:
    return cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=seed), (0, 0), 2)


@settings(max_examples=15, deadline=None)
@given(
    st.floats(-0.4, 0.4), st.floats(0.7, 1.3), st.floats(0.8, 1.2), st.floats(-8, 8),
    st.integers(0, 9),
)  # fmt: skip
def test_an_affine_change_is_undone(
    hue: float, saturation: float, contrast: float, brightness: float, seed: int
) -> None:
    lab = to_lab(_picture(seed))
    changed = lab.copy()
    turn = np.array([[np.cos(hue), -np.sin(hue)], [np.sin(hue), np.cos(hue)]], np.float32)
    changed[..., 1:] = changed[..., 1:] @ turn.T * np.float32(saturation)
    changed[..., 0] = 50 + (changed[..., 0] - 50) * np.float32(contrast) + np.float32(brightness)
    mapped = fit_colours(changed, lab, np.ones((HEIGHT, WIDTH), np.float32)).apply(changed)
    before = np.abs(changed - lab).mean()
    assert np.abs(mapped - lab).mean() < max(0.3, 0.15 * before)


def test_each_region_has_its_own_change() -> None:
    lab = to_lab(_picture())
    changed = lab.copy()
    changed[:, WIDTH // 2 :] += np.array([0, 10, 0], np.float32)
    mapped = fit_colours(changed, lab, np.ones((HEIGHT, WIDTH), np.float32)).apply(changed)
    away = np.r_[0 : WIDTH // 2 - 15, WIDTH // 2 + 15 : WIDTH]
    assert np.abs(mapped - lab)[:, away].mean() < 1.0


def test_what_lies_where_nothing_is_shared_follows_the_rest() -> None:
    lab = to_lab(_picture())
    changed = lab + np.array([6, -5, 9], np.float32)
    weight = np.ones((HEIGHT, WIDTH), np.float32)
    weight[:, 60:] = 0
    mapped = fit_colours(changed, lab, weight).apply(changed)
    assert np.abs(mapped - lab)[:, 60:].mean() < 1.0


def test_a_few_wrong_pixels_do_not_count() -> None:
    lab = to_lab(_picture())
    changed = lab + np.array([0, 8, 0], np.float32)
    wrong = lab.copy()
    wrong[::4, ::3] += np.array([40, -60, 30], np.float32)
    mapped = fit_colours(changed, wrong, np.ones((HEIGHT, WIDTH), np.float32)).apply(changed)
    assert np.abs(mapped - lab).mean() < 2.5


def test_the_map_is_the_same_at_any_size() -> None:
    lab = to_lab(_picture())
    changed = lab * np.float32(0.9) + np.array([3, 5, -4], np.float32)
    colours = fit_colours(changed, lab, np.ones((HEIGHT, WIDTH), np.float32))
    large = cv2.resize(changed, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(colours.apply(large), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(small, colours.apply(changed), atol=0.3)


def test_lab_and_back() -> None:
    picture = _picture()
    assert np.abs(from_lab(to_lab(picture)).astype(int) - picture).max() <= 1
    assert to_lab(np.full((1, 1, 3), 255, np.uint8))[0, 0] == pytest.approx([100, 0, 0], abs=0.02)
