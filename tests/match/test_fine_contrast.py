"""How finely keys are drawn: measured against their film, and made alike."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.match.fine_contrast import fineness, refine_contrast
from scenes import texture


def _strokes(seed: int = 0) -> np.ndarray:
    return texture(90, 120, seed=seed, fine=0.8)


def _soft(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 0.5)


def test_a_soft_key_is_drawn_as_finely_as_another_one_afterwards() -> None:
    filmed = texture(90, 120, seed=1)
    sharp, soft = _strokes(), _soft(_strokes())
    target = fineness(sharp, filmed)
    assert target > 1.2 * fineness(soft, filmed)
    refined = refine_contrast(soft, filmed, target)
    assert fineness(refined, filmed) == pytest.approx(target, rel=0.12)
    assert refine_contrast(sharp, filmed, target / 2) is sharp, "finer ones stay"
    blurred = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 3) for image in (soft, refined)]
    assert np.abs(blurred[0] - blurred[1]).mean() < 1, "colours stay"


def test_fineness_is_compared_with_the_film() -> None:
    one, other = texture(90, 120, seed=1), (texture(90, 120, seed=2) // 2 + 60).astype(np.uint8)
    assert fineness(255 - one, one) == pytest.approx(1, rel=0.01)
    assert fineness(255 - other, other) == pytest.approx(1, rel=0.01)
    grey = np.full_like(one, 90)
    assert np.isfinite(fineness(one, grey))


def test_small_differences_and_alpha_stay() -> None:
    image = _strokes()
    assert refine_contrast(image, image, 1.1) is image
    cut_out = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    cut_out[:, 60:, 3] = 0
    cut_out[:, 60:, :3] = 128
    refined = refine_contrast(cut_out, image, 1.5)
    assert not np.array_equal(refined, cut_out)
    assert np.array_equal(refined[..., 3], cut_out[..., 3])
    assert fineness(cut_out, image) == pytest.approx(1, rel=0.2), "only what is painted counts"
    nothing = np.zeros_like(cut_out)
    assert fineness(nothing, image) == 1
