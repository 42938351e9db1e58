"""Blocks of what a mask leaves, against plain NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.plan.blocks import GRID, MatteBlocks


def _matte(x: int, y: int, radius: int) -> np.ndarray:
    matte = np.zeros((90, 160), np.uint8)
    cv2.circle(matte, (x, y), radius, 255, -1, cv2.LINE_AA)
    return matte.astype(np.float32) / 255


@settings(max_examples=30, deadline=None)
@given(
    x=st.integers(0, 159), y=st.integers(0, 89), radius=st.integers(10, 80), seed=st.integers(0, 9)
)
def test_the_mean_of_all_blocks_is_about_that_inside_the_matte(
    x: int, y: int, radius: int, seed: int
) -> None:
    matte = _matte(x, y, radius)
    noise = np.random.default_rng(seed).integers(0, 256, (9, 16), dtype=np.uint8)
    image = cv2.resize(noise, (160, 90), interpolation=cv2.INTER_CUBIC)
    means = MatteBlocks(matte).means(image)
    assert (means.dtype, means.shape) == (np.uint8, (GRID * GRID,))
    assert means.mean() == pytest.approx(float((image * matte).sum() / matte.sum()), abs=16)
    outside = np.where(matte > 0, image, 255 - image)
    assert np.array_equal(MatteBlocks(matte).means(outside), means)


def test_one_half_of_the_matte_is_half_of_the_blocks_wherever_it_is() -> None:
    for x, y in ((30, 20), (120, 60)):
        matte, image = _matte(x, y, 15), np.zeros((90, 160), np.uint8)
        image[:, x:] = 255
        assert MatteBlocks(matte).means(image).mean() / 255 == pytest.approx(0.5, abs=0.05)


def test_a_matte_of_a_pixel_or_of_none() -> None:
    image, matte = np.full((90, 160), 200, np.uint8), np.zeros((90, 160), np.float32)
    assert not MatteBlocks(matte).means(image).any()
    matte[40, 50] = 1
    assert MatteBlocks(matte).means(image).tolist() == [200] * GRID * GRID
