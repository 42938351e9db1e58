"""Colours given back: distributions match, luminosity stays."""

from __future__ import annotations

import cv2
import numpy as np

from kadr.core.frames import Image
from kadr.stylize.layout.colour import correct_colours

_LUMINOSITY = np.array([0.3, 0.59, 0.11])


def _picture(seed: int, colour: tuple[int, int, int], spread: int) -> Image:
    noise = np.random.default_rng(seed).normal(0, spread, (48, 64, 3))
    slope = np.linspace(-30, 30, 64)[None, :, None]
    return np.clip(np.array(colour) + slope + noise, 0, 255).astype(np.uint8)


def test_a_pictures_own_colours_change_nothing() -> None:
    picture = _picture(0, (120, 110, 90), 10)
    assert np.abs(correct_colours(picture, picture).astype(int) - picture).max() <= 4


def test_hue_comes_from_the_original_and_light_stays() -> None:
    restyled, original = _picture(1, (90, 140, 170), 12), _picture(2, (150, 105, 85), 6)
    corrected = correct_colours(restyled, original)
    before, after, wanted = (
        cv2.cvtColor(x, cv2.COLOR_RGB2LAB).astype(float).mean(axis=(0, 1))
        for x in (restyled, corrected, original)
    )
    assert np.abs(before - wanted)[1:].min() > 10
    assert np.abs(after - wanted)[1:].max() < 4
    light = corrected @ _LUMINOSITY - restyled @ _LUMINOSITY
    assert np.abs(light).max() < 1.5


def test_colours_out_of_range_turn_grey_not_dark() -> None:
    restyled = np.full((8, 8, 3), 250, np.uint8)
    original = _picture(3, (200, 20, 20), 5)
    corrected = correct_colours(restyled, original)
    assert corrected.dtype == np.uint8
    assert np.abs(corrected @ _LUMINOSITY - 250).max() < 1.5


def test_histograms_match_whatever_the_sizes() -> None:
    restyled, original = _picture(4, (60, 60, 60), 8), _picture(5, (180, 180, 180), 20)
    small = original[::2, ::2]
    corrected = correct_colours(restyled, small)
    assert corrected.shape == restyled.shape
