"""Laying colours over backgrounds, against the definition of "over" written out in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.composite import over
from scenes import texture

HEIGHT, WIDTH = 24, 32


def _reference(colours: np.ndarray, alpha: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Porter and Duff, premultiplied, in float64."""
    share = alpha.astype(np.float64)[..., None]
    below_alpha = below[..., 3:] / 255.0 if below.shape[2] == 4 else np.ones((*alpha.shape, 1))
    premultiplied = colours * share + below[..., :3] * below_alpha * (1 - share)
    total = share + below_alpha * (1 - share)
    straight = premultiplied / np.where(total > 0, total, 1)
    return np.concatenate([straight, total * 255], axis=2)[..., : below.shape[2]]


def _images(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    alpha = np.clip(random.uniform(-0.5, 1.5, (HEIGHT, WIDTH)), 0, 1).astype(np.float32)
    below = random.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    below[: HEIGHT // 3, :, 3], below[HEIGHT // 2 :, :, 3] = 0, 255
    return colours, alpha, below


@pytest.mark.parametrize("channels", [3, 4])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_as_by_definition(channels: int, seed: int) -> None:
    colours, alpha, below = _images(seed)
    below = np.ascontiguousarray(below[..., :channels])
    result = over(colours, alpha, below)
    expected = _reference(colours, alpha, below)
    assert result.shape == below.shape
    visible = expected[..., 3] > 0 if channels == 4 else np.ones((HEIGHT, WIDTH), bool)
    assert np.abs(result - expected)[visible].max() <= 1
    assert np.array_equal(result[alpha == 0], below[alpha == 0])
    assert np.array_equal(result[alpha == 1][:, :3], colours[alpha == 1])


def test_over_nothing_the_colours_keep_their_alpha() -> None:
    colours, alpha, _ = _images(3)
    result = over(colours, alpha, None)
    assert np.array_equal(result[..., :3], colours)
    assert np.abs(result[..., 3] - alpha * 255).max() <= 0.5


def test_a_part_laid_over_is_as_the_whole_laid_over() -> None:
    colours, alpha, below = texture(HEIGHT, WIDTH), _images(5)[1], texture(HEIGHT, WIDTH, seed=2)
    part = np.s_[4:20, 6:30]
    assert np.array_equal(over(colours, alpha, below)[part],
                          over(colours[part], alpha[part], below[part]))  # fmt: skip
