"""PSNR and SSIM against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.measure.psnr import peak_signal_to_noise
from kadr.measure.ssim import structural_similarity
from scenes import texture


def test_psnr_of_a_known_difference() -> None:
    image = np.full((8, 9, 3), 100, np.uint8)
    level = peak_signal_to_noise(image, image + np.uint8(10))
    assert level == pytest.approx(20 * np.log10(25.5))
    assert peak_signal_to_noise(image, image) == 99.0


def test_ssim_is_one_for_equal_images_and_falls_with_noise() -> None:
    image = texture(72, 96)
    noise = np.random.default_rng(1).normal(0, 1, image.shape)
    low, high = (np.clip(image + noise * s, 0, 255).astype(np.uint8) for s in (5, 40))
    assert structural_similarity(image, image) == pytest.approx(1.0)
    assert 1 > structural_similarity(image, low) > structural_similarity(image, high) > 0


def test_ssim_of_flat_images_is_its_light_term() -> None:
    a, b = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert structural_similarity(a, b) == pytest.approx(expected)
