"""Backward sampling: ``out[p] = image[p + flow[p]]``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.warp import grid, sample, warp


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_whole_steps_copy_pixels(dtype: type, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (9, 11, channels)).astype(dtype)
    if channels == 1:
        image = image[..., 0]
    flow = np.zeros((9, 11, 2), np.float32) + np.float32([2, -1])
    out = warp(image, flow)
    assert (out.dtype, out.shape) == (image.dtype, image.shape)
    assert np.array_equal(out[1:, :-2], image[:-1, 2:])


@given(dx=st.integers(-40, 40), dy=st.integers(-40, 40))
@settings(max_examples=30, deadline=None)
def test_edges_are_repeated(dx: int, dy: int) -> None:
    image = np.arange(5 * 7, dtype=np.float32).reshape(5, 7)
    out = warp(image, np.zeros((5, 7, 2), np.float32) + np.float32([dx, dy]))
    y, x = np.mgrid[:5, :7]
    assert np.array_equal(out, image[np.clip(y + dy, 0, 4), np.clip(x + dx, 0, 6)])


def test_half_steps_lie_half_way() -> None:
    ramp = np.tile(np.arange(12, dtype=np.float32) * 8, (6, 1))
    out = warp(ramp, np.zeros((6, 12, 2), np.float32) + np.float32([0.5, 0]))
    assert np.allclose(out[:, :-1], ramp[:, :-1] + 4)


def test_the_grid_samples_the_image_itself_and_is_read_only() -> None:
    image = np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    assert np.array_equal(sample(image, grid(6, 8)), image)
    assert tuple(grid(6, 8)[2, 5]) == (5, 2)  # (x, y)
    with pytest.raises(ValueError, match="read-only"):
        grid(6, 8)[0, 0] = 1
