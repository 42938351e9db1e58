"""The guided filter against a plain twin, and what follows from its equations."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.matte.guided_filter import guided_filter
from scenes import texture


def _window(values: np.ndarray, y: int, x: int, radius: int) -> np.ndarray:
    padded = np.pad(values, [(radius, radius)] * 2 + [(0, 0)] * (values.ndim - 2), "symmetric")
    return padded[y : y + 2 * radius + 1, x : x + 2 * radius + 1]


def _naive(guide: np.ndarray, matte: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """He et al. 2010, equations 19 to 21, window by window."""
    image = guide.astype(np.float64) / 255
    height, width = matte.shape
    slopes, offsets = np.zeros((height, width, 3)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            colours = _window(image, y, x, radius).reshape(-1, 3)
            values = _window(matte.astype(np.float64), y, x, radius).ravel()
            mean = colours.mean(0)
            spread = np.cov(colours.T, bias=True) + epsilon * np.eye(3)
            joint = (colours * values[:, None]).mean(0) - mean * values.mean()
            slopes[y, x] = np.linalg.solve(spread, joint)
            offsets[y, x] = values.mean() - slopes[y, x] @ mean
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            slope = _window(slopes, y, x, radius).reshape(-1, 3).mean(0)
            result[y, x] = slope @ image[y, x] + _window(offsets, y, x, radius).mean()
    return np.clip(result, 0, 1)


def _edge(height: int = 24, width: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """An image whose right half is another texture, and its matte."""
    image = texture(height, width, seed=1) // 3
    image[:, width // 2 :] = 160 + texture(height, width, seed=2)[:, width // 2 :] // 4
    matte = np.zeros((height, width), np.float32)
    matte[:, width // 2 :] = 1
    return image, matte


def test_it_is_what_the_paper_says() -> None:
    image, matte = _edge()
    noisy = np.clip(matte + np.random.default_rng(0).normal(0, 0.2, matte.shape), 0, 1)
    noisy = noisy.astype(np.float32)
    # at the border OpenCV mirrors coefficients of windows inside, the twin those of the border
    inner = np.s_[4:-4, 4:-4]
    expected = _naive(image, noisy, 2, 1e-2)[inner]
    np.testing.assert_allclose(guided_filter(image, noisy, 2, 1e-2)[inner], expected, atol=2e-4)


def test_a_function_of_the_colours_stays() -> None:
    image = texture(40, 50, seed=5)
    matte = (image.astype(np.float32) / 255) @ np.float32([0.2, 0.5, 0.3])
    np.testing.assert_allclose(guided_filter(image, matte, 4, 1e-7), matte, atol=5e-3)


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_constant_stays(level: float) -> None:
    matte = np.full((40, 50), level, np.float32)
    filtered = guided_filter(texture(40, 50), matte, 5, 1e-3)
    np.testing.assert_allclose(filtered, matte, atol=1e-4)


@pytest.mark.parametrize("reduce", [1, 2])
def test_an_outline_beside_an_edge_moves_to_the_edge(reduce: int) -> None:
    image, truth = _edge(60, 80)
    beside = np.roll(truth, 3, axis=1)
    filtered = guided_filter(image, beside, 8, 1e-3, reduce)
    wrong = [np.mean((matte > 0.5) != (truth > 0.5)) for matte in (beside, filtered)]
    assert wrong[1] < 0.3 * wrong[0]


def test_a_reduced_size_is_close_to_the_full_one() -> None:
    image, matte = _edge(60, 80)
    image = cv2.GaussianBlur(image, (0, 0), 2)
    full, reduced = (guided_filter(image, matte, 8, 1e-2, reduce) for reduce in (1, 2))
    assert np.abs(full - reduced).mean() < 0.02
