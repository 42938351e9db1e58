"""Masks: blur, box, latent mask, and pictures put together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.stylize.layout.masks import (
    blur_mask,
    composite,
    find_mask_box,
    latent_mask,
    overlay_mask,
)


def _mask(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return mask


def test_blur_reaches_two_and_a_half_deviations() -> None:
    mask = _mask(64, 64, (32, 0, 64, 64))
    soft = blur_mask(mask, 4)
    assert soft[32, 21] == 0
    assert 0 < soft[32, 23] < 10
    assert soft[32, 31] == pytest.approx(115, abs=3)  # at half a pixel from the edge
    assert soft[32, 43] == 255
    assert blur_mask(mask, 0) is mask


def test_the_latent_mask_is_hard() -> None:
    mask = blur_mask(_mask(64, 64, (16, 0, 64, 64)), 4)
    small = latent_mask([mask, 255 - mask], (8, 8))
    assert small.shape == (2, 1, 8, 8)
    assert small[0, 0, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert small[1, 0, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("box", "size", "padding", "wanted"),
    [
        ((40, 40, 60, 60), (512, 512), 0, (40, 40, 60, 60)),
        ((40, 40, 60, 60), (512, 512), 8, (32, 32, 68, 68)),
        ((40, 40, 60, 60), (512, 256), 0, (30, 40, 70, 60)),
        ((40, 40, 60, 60), (256, 512), 0, (40, 30, 60, 70)),
        ((0, 40, 20, 60), (512, 256), 0, (0, 40, 40, 60)),
        ((180, 40, 200, 60), (512, 256), 0, (160, 40, 200, 60)),
        ((0, 0, 200, 100), (512, 512), 32, (0, 0, 200, 100)),
    ],
)
def test_the_box_takes_the_models_aspect(
    box: tuple[int, ...], size: tuple[int, int], padding: int, wanted: tuple[int, ...]
) -> None:
    assert find_mask_box(_mask(200, 100, box), size, padding=padding) == wanted


@given(
    st.tuples(*[st.integers(0, 49)] * 4),
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.integers(0, 60),
)
def test_the_box_holds_the_mask_and_lies_in_the_frame(
    ends: tuple[int, int, int, int], size: tuple[int, int], padding: int
) -> None:
    left, right = sorted(ends[:2])
    top, bottom = sorted(ends[2:])
    box = find_mask_box(_mask(50, 50, (left, top, right + 1, bottom + 1)), size, padding=padding)
    assert box is not None
    assert 0 <= box[0] <= left < right + 1 <= box[2] <= 50
    assert 0 <= box[1] <= top < bottom + 1 <= box[3] <= 50


def test_an_empty_mask_has_no_box() -> None:
    assert find_mask_box(np.zeros((10, 10), np.uint8), (512, 512)) is None


def test_pictures_are_put_together_in_proportion() -> None:
    restyled, frame = np.full((1, 4, 3), 200, np.uint8), np.full((1, 4, 3), 100, np.uint8)
    mask = np.array([[0, 51, 127, 255]], np.uint8)
    assert composite(restyled, frame, mask)[0, :, 0].tolist() == [100, 120, 150, 200]
    assert overlay_mask(mask).tolist() == [[0, 102, 254, 255]]
