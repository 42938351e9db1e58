"""Energy and texture distance of synthesized images: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from _energy import energy, texture_distance


def _noise(height: int, width: int, channels: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def test_a_crop_of_the_style_costs_only_its_edges() -> None:
    style, guide = _noise(40, 44, 3, 0), _noise(40, 44, 1, 1)
    equal = energy(style, style, [(guide, guide, 2.0)])
    assert equal == 0
    crop = np.s_[10:40, 6:44]
    inside = energy(style[crop], style, [(guide, guide[crop], 2.0)])
    unrelated = energy(_noise(30, 38, 3, 5), style, [(guide, guide[crop], 2.0)])
    assert inside < 0.3 * unrelated


def test_one_wrong_guide_level_costs_its_weight() -> None:
    style, guide = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 2), 100, np.uint8)
    assert energy(style, style, [(guide, guide + 3, 4.0)]) == pytest.approx(4 * 9 * 25, rel=1e-4)


def test_texture_distance_depends_on_blur_not_on_order() -> None:
    style = _noise(64, 64, 3, 0)
    assert texture_distance(style, style) == 0
    flipped = texture_distance(np.ascontiguousarray(style[::-1]), style)
    blurred = texture_distance((style // 2 + 64).astype(np.uint8), style)
    assert flipped < 0.2 * blurred
