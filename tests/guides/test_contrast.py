"""Restored contrast: only where it was lost, within limits, never reduced."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.guides.contrast import local_contrast, restore_contrast
from scenes import psnr, texture

SIZE = (40, 56)


def _plane(value: float) -> np.ndarray:
    return np.full(SIZE, value, np.float32)


def _soft(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _grain(channels: int = 3, seed: int = 0) -> np.ndarray:
    """(H, W, C) uint8 with detail of one pixel, away from black and white."""
    return np.random.default_rng(seed).integers(60, 196, (*SIZE, channels)).astype(np.uint8)


def test_contrast_is_measured_where_it_is() -> None:
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[:, 28:] = _grain()[:, 28:]
    contrast = local_contrast(image)
    assert (contrast.dtype, contrast.shape) == (np.float32, SIZE)
    assert contrast[:, :20].max() < 1e-3
    assert contrast[:, 36:].min() > 50
    alpha = np.random.default_rng(1).integers(0, 256, (*SIZE, 1)).astype(np.uint8)
    assert np.array_equal(local_contrast(np.dstack([image, alpha])), contrast)


def test_lost_contrast_is_restored() -> None:
    sharp = texture(*SIZE, fine=0.8)
    soft, target_contrast = _soft(sharp), local_contrast(sharp)
    restored = restore_contrast(soft, target_contrast, _plane(1))
    contrast_after, contrast_before = local_contrast(restored).mean(), local_contrast(soft).mean()
    assert contrast_before < 0.7 * target_contrast.mean()
    assert 1.4 * contrast_before < contrast_after < 1.1 * target_contrast.mean()
    assert psnr(restored, sharp) > psnr(soft, sharp) + 1  # and it is the same detail


@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_with_full_contrast_does_not_change(channels: int) -> None:
    image = _grain(channels)
    assert np.array_equal(restore_contrast(image, local_contrast(image), _plane(1)), image)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.35])
def test_too_much_contrast_is_not_reduced(strength: float) -> None:
    image = _grain()
    assert np.array_equal(restore_contrast(image, _plane(0), _plane(strength)), image)


def test_strength_0_changes_nothing() -> None:
    image = _grain(4)
    assert np.array_equal(restore_contrast(image, _plane(1e4), _plane(0)), image)


def test_alpha_does_not_change() -> None:
    image = _grain(4)
    restored = restore_contrast(image, _plane(1e4), _plane(1))
    assert np.array_equal(restored[..., 3], image[..., 3])
    assert not np.array_equal(restored[..., :3], image[..., :3])


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_stays_flat(level: int) -> None:
    image = np.full((*SIZE, 3), level, np.uint8)
    assert np.array_equal(restore_contrast(image, _plane(1e4), _plane(1.35)), image)


@given(seed=st.integers(0, 10**6), max_contrast=st.floats(0, 3000), max_strength=st.floats(0, 1.5))
@settings(max_examples=30)
def test_detail_grows_within_its_factor_and_keeps_its_sign(
    seed: int, max_contrast: float, max_strength: float
) -> None:
    rng = np.random.default_rng(seed)
    image = _grain(seed=seed)
    target_contrast = rng.uniform(0, max_contrast, SIZE).astype(np.float32)
    strength = rng.uniform(0, max_strength, SIZE).astype(np.float32)
    restored = restore_contrast(image, target_contrast, strength).astype(np.float64)
    soft = cv2.GaussianBlur(image, (0, 0), 0.6).astype(np.float64)
    detail, restored_detail = image - soft, restored - soft
    factor = 1 + 0.8 * strength[..., None].astype(np.float64)
    assert (np.sign(detail) * restored_detail >= np.abs(detail) - 0.501)[
        (restored > 0) & (restored < 255)
    ].all()
    assert (np.abs(restored_detail) <= np.abs(detail) * factor + 0.501).all()
