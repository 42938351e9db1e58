"""Fields continued beyond the part where they are known."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.warp import grid
from kadr.matte.extrapolate import extrapolate

_NUMBER = st.floats(-0.25, 0.25, width=32)


@settings(max_examples=20)
@given(st.lists(_NUMBER, min_size=6, max_size=6))
def test_an_affine_motion_is_continued(numbers: list[float]) -> None:
    matrix = np.float32(numbers).reshape(2, 3) * np.float32([1, 1, 50])
    position = grid(96, 128) - np.float32([64, 48])
    field = position @ matrix[:, :2].T + matrix[:, 2]
    weight = np.zeros((96, 128), np.float32)
    cv2.circle(weight, (64, 48), 30, 1.0, -1)
    noise = np.where(weight[..., None] > 0, field, np.float32(99))
    fitted, _ = extrapolate(noise, weight, 12)
    ring = np.zeros((96, 128), np.uint8)
    cv2.circle(ring, (64, 48), 36, 1, -1)
    error = np.abs(fitted - field)[ring > 0].max()
    assert error < 0.15 * (1 + np.abs(matrix[:, :2]).max() * 20)


def test_where_nothing_is_known_the_field_stays() -> None:
    field = np.random.default_rng(0).normal(0, 3, (40, 60, 2)).astype(np.float32)
    weight = np.zeros((40, 60), np.float32)
    fitted, share = extrapolate(field, weight, 6)
    np.testing.assert_array_equal(fitted, field)
    assert not share.any()
