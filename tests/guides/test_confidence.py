"""Similarity: known values, a plain twin, and no dependence on bands of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.guides import confidence
from kadr.guides.confidence import similarity, smoothstep
from scenes import show, texture, translation


def _plain(a: np.ndarray, b: np.ndarray, window: int = 9) -> np.ndarray:
    """SSIM's structure times a gentle light term, pixel by pixel as it is defined."""
    radius = window // 2
    value = np.zeros(a.shape[:2])
    for y, x in np.ndindex(value.shape):
        box = np.s_[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
        u = a[box].reshape(-1, a.shape[2]).astype(float)
        v = b[box].reshape(-1, b.shape[2]).astype(float)
        covariance = ((u - u.mean(0)) * (v - v.mean(0))).mean(0)
        structure = (2 * covariance + confidence.NOISE**2) / (
            u.var(0) + v.var(0) + confidence.NOISE**2
        )
        light = 1 / (1 + (u.mean(0) - v.mean(0)) ** 2 / confidence._LIGHT**2)
        value[y, x] = (structure * light).mean()
    return value


@given(st.integers(0, 9), st.sampled_from([(3, 5), (14, 17), (25, 6)]), st.sampled_from([3, 5, 9]))
@settings(max_examples=12, deadline=None)
def test_it_equals_its_plain_twin(seed: int, size: tuple[int, int], window: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    b = np.clip(a + rng.normal(0, 40, a.shape), 0, 255).astype(np.uint8)
    assert np.allclose(similarity(a, b, window), _plain(a, b, window), atol=2e-3)


def test_equal_images_are_fully_similar() -> None:
    image = texture(40, 50)
    value = similarity(image, image)
    assert (value.dtype, value.shape) == (np.float32, (40, 50))
    assert np.abs(value - 1).max() < 1e-5
    flat = np.full((20, 30, 3), 77, np.uint8)
    assert np.abs(similarity(flat, flat) - 1).max() < 1e-5


def test_it_orders_likeness_as_eyes_do() -> None:
    image = texture(60, 80)
    grain = np.random.default_rng(0).normal(0, 3, image.shape)
    noisy = np.clip(image + grain, 0, 255).astype(np.uint8)
    brighter = np.clip(image.astype(int) + 8, 0, 255).astype(np.uint8)
    means = [
        similarity(other, image).mean()
        for other in (noisy, brighter, show(image, translation(3, 0)), texture(60, 80, seed=9))
    ]
    assert means[0] > 0.9
    assert means[1] > 0.8
    assert means[2] < means[1] - 0.1
    assert means[3] < 0.3
    assert similarity(255 - image, image).mean() < 0


def test_it_is_symmetric_and_never_beyond_one() -> None:
    a, b = texture(60, 80), texture(60, 80, seed=9)
    value = similarity(a, b)
    assert np.allclose(value, similarity(b, a), atol=1e-5)
    assert np.abs(value).max() <= 1 + 1e-5


def test_rows_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = texture(300, 40), texture(300, 40, seed=3)
    values = []
    for threads in (1, 3):
        monkeypatch.setattr("kadr.core.row_bands.default_threads", lambda threads=threads: threads)
        values.append(similarity(a, b).tobytes())
    assert values[0] == values[1]


def test_a_crop_has_the_same_inner_values() -> None:
    a, b = texture(150, 40), texture(150, 40, seed=3)
    full = similarity(a, b)
    crop = similarity(a[50:], b[50:])
    assert np.array_equal(full[60:], crop[10:])  # sums are exact: no drift from row to row


def test_read_only_arrays_and_views_are_accepted() -> None:
    image = texture(40, 50)
    image.flags.writeable = False
    assert np.allclose(similarity(image[:, ::-1], image[:, ::-1]), 1)


def test_smoothstep_known_values() -> None:
    values = smoothstep(np.float32([0, 1, 1.5, 2, 5]), 1, 2)
    assert np.allclose(values, [0, 0, 0.5, 1, 1])
