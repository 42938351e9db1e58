"""Contrast given back: only where it was lost, never too much, and never the other way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.guides.contrast import local_contrast, restore_contrast
from scenes import psnr, texture

SIZE = (40, 56)


def _whole(value: float) -> np.ndarray:
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


def test_lost_contrast_comes_back() -> None:
    sharp = texture(*SIZE, fine=0.8)
    soft, wanted = _soft(sharp), local_contrast(sharp)
    restored = restore_contrast(soft, wanted, _whole(1))
    have, before = local_contrast(restored).mean(), local_contrast(soft).mean()
    assert before < 0.7 * wanted.mean()
    assert 1.4 * before < have < 1.1 * wanted.mean()
    assert psnr(restored, sharp) > psnr(soft, sharp) + 1  # and it is the same detail


@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_that_lost_nothing_stays_itself(channels: int) -> None:
    image = _grain(channels)
    assert np.array_equal(restore_contrast(image, local_contrast(image), _whole(1)), image)


@pytest.mark.parametrize("share", [0.5, 1.0, 1.35])
def test_too_much_contrast_is_left_alone(share: float) -> None:
    image = _grain()
    assert np.array_equal(restore_contrast(image, _whole(0), _whole(share)), image)


def test_no_share_changes_nothing() -> None:
    image = _grain(4)
    assert np.array_equal(restore_contrast(image, _whole(1e4), _whole(0)), image)


def test_alpha_stays_as_it_is() -> None:
    image = _grain(4)
    restored = restore_contrast(image, _whole(1e4), _whole(1))
    assert np.array_equal(restored[..., 3], image[..., 3])
    assert not np.array_equal(restored[..., :3], image[..., :3])


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_stays_flat(level: int) -> None:
    image = np.full((*SIZE, 3), level, np.uint8)
    assert np.array_equal(restore_contrast(image, _whole(1e4), _whole(1.35)), image)


@given(seed=st.integers(0, 10**6), top=st.floats(0, 3000), most=st.floats(0, 1.5))
@settings(max_examples=30)
def test_detail_grows_within_its_factor_and_never_turns(seed: int, top: float, most: float) -> None:
    rng = np.random.default_rng(seed)
    image = _grain(seed=seed)
    wanted = rng.uniform(0, top, SIZE).astype(np.float32)
    share = rng.uniform(0, most, SIZE).astype(np.float32)
    restored = restore_contrast(image, wanted, share).astype(np.float64)
    soft = cv2.GaussianBlur(image, (0, 0), 0.6).astype(np.float64)
    was, now = image - soft, restored - soft
    factor = 1 + 0.8 * share[..., None].astype(np.float64)
    assert (np.sign(was) * now >= np.abs(was) - 0.501)[(restored > 0) & (restored < 255)].all()
    assert (np.abs(now) <= np.abs(was) * factor + 0.501).all()
