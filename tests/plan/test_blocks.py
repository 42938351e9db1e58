"""Blocks of what a mask leaves, against plain NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.plan.blocks import GRID, MatteBlocks, block_values


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
    values = MatteBlocks(matte).values(image)
    assert (values.dtype, values.shape) == (np.uint8, (2, GRID * GRID))
    assert values[0].mean() == pytest.approx(float((image * matte).sum() / matte.sum()), abs=16)
    outside = np.where(matte > 0, image, 255 - image)
    assert np.array_equal(MatteBlocks(matte).values(outside), values)


def test_one_half_of_the_matte_is_half_of_the_blocks_wherever_it_is() -> None:
    for x, y in ((30, 20), (120, 60)):
        matte, image = _matte(x, y, 15), np.zeros((90, 160), np.uint8)
        image[:, x:] = 255
        assert MatteBlocks(matte).values(image)[0].mean() / 255 == pytest.approx(0.5, abs=0.05)


def test_a_matte_of_a_pixel_or_of_none() -> None:
    image, matte = np.full((90, 160), 200, np.uint8), np.zeros((90, 160), np.float32)
    assert not MatteBlocks(matte).values(image).any()
    matte[40, 50] = 1
    assert MatteBlocks(matte).values(image).tolist() == [[200] * GRID**2, [0] * GRID**2]


def test_a_small_region_stands_out_and_a_change_of_all_does_not() -> None:
    image = np.full((144, 256), 60, np.uint8)
    image[76:84, 140:156] = 255  # a three-hundredth of the picture
    means, small = block_values(image)
    assert means.mean() < 61
    assert small.max() > 100
    assert (small > 0).sum() <= 2
    whole = MatteBlocks(np.ones((144, 256), np.float32)).values(image)
    assert whole[1].max() > 100
    assert np.abs(whole[0].astype(int) - means).max() <= 4, "cells of whole pixels"


@pytest.mark.parametrize("left", [0, 86])
def test_a_large_region_and_a_border_are_no_small_regions(left: int) -> None:
    image = np.zeros((144, 256), np.uint8)
    image[:, left : left + (12 if left == 0 else 84)] = 255
    assert block_values(image)[1].max() < 60
