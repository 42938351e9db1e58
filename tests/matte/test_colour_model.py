"""Colours that tell a subject from what is around it."""

from __future__ import annotations

import numpy as np

from kadr.matte.colour_model import ColourModel, reliability
from scenes import texture


def _halves(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Red on the left, the subject; green on the right."""
    image = texture(96, 144, seed=seed) // 4
    image[:, :72, 0] += 150
    image[:, 72:, 1] += 150
    matte = np.zeros((96, 144), np.float32)
    matte[:, :72] = 1
    return image, matte


def test_learnt_colours_are_found_in_another_frame() -> None:
    likely = ColourModel(96, 144).learn(*_halves(0)).classify(_halves(1)[0])
    assert likely[:, :60].min() > 0.9
    assert likely[:, 84:].max() < 0.1


def test_a_colour_may_mean_something_else_elsewhere() -> None:
    image, matte = _halves(0)
    image[...] = [90, 120, 60]
    likely = ColourModel(96, 144).learn(image, matte).classify(image)
    assert likely[:, :40].min() > 0.65
    assert likely[:, 104:].max() < 0.35


def test_what_was_never_seen_is_undecided() -> None:
    likely = ColourModel(96, 144).learn(*_halves(0)).classify(np.full((96, 144, 3), 255, np.uint8))
    np.testing.assert_allclose(likely, 0.5, atol=0.01)


def test_pixels_without_weight_teach_nothing() -> None:
    image, matte = _halves(0)
    nothing = np.zeros(matte.shape, np.float32)
    likely = ColourModel(96, 144).learn(image, matte, nothing).classify(image)
    np.testing.assert_allclose(likely, 0.5, atol=1e-6)


def test_reliability_is_that_of_the_prediction_around_the_outline() -> None:
    _, matte = _halves(0)
    assert reliability(matte, matte).min() == 1
    wrong = 1 - matte
    assert reliability(wrong, matte)[:, 60:84].max() == 0
    # far from the outline nothing is asked of colours
    assert reliability(np.where(np.arange(144) < 20, 0, matte), matte)[:, 60:84].min() == 1
