"""Cubic sampling: exact on pixels, as OpenCV between them, edges repeated, the rest untouched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.core.cubic import CubicSampler, tap_weights
from kadr.core.warp import grid
from scenes import texture

IMAGE = texture(40, 56)


def _sampled(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = np.zeros((*x.shape, image.shape[2]), np.uint8)
    CubicSampler(image).sample(x, y, np.ones(x.shape, np.float32), rows)
    return rows


def _positions(move_x: float, move_y: float) -> tuple[np.ndarray, np.ndarray]:
    positions = grid(40, 56) + np.array([move_x, move_y], np.float32)
    return np.ascontiguousarray(positions[..., 0]), np.ascontiguousarray(positions[..., 1])


@pytest.mark.parametrize("channels", [3, 4])
def test_on_the_pixels_the_image_comes_back(channels: int) -> None:
    image = np.dstack([IMAGE, IMAGE[..., 0]])[..., :channels]
    assert np.array_equal(_sampled(image, *_positions(0, 0)), image)
    assert np.array_equal(_sampled(image, *_positions(1, -2))[2:, :-1], image[:-2, 1:])


@pytest.mark.parametrize("move", [(0.5, 0.25), (-3.125, 2.75), (0.03125, -60), (70, 0.5)])
def test_between_pixels_it_is_opencv(move: tuple[float, float]) -> None:
    x, y = _positions(*move)  # multiples of the 1/32 to which OpenCV rounds
    expected = cv2.remap(IMAGE, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(_sampled(IMAGE, x, y).astype(int) - expected).max() <= 1


def test_positions_far_outside_are_those_of_the_edge() -> None:
    x = np.array([[-1e9, 1e9, 5, 5]], np.float32)
    y = np.array([[7, 7, -1e9, 1e9]], np.float32)
    expected = [IMAGE[7, 0], IMAGE[7, -1], IMAGE[0, 5], IMAGE[-1, 5]]
    assert np.array_equal(_sampled(IMAGE, x, y)[0], expected)


def test_finer_than_a_32nd_of_a_pixel() -> None:
    ramp = np.repeat(np.arange(0, 240, 8, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(8, 0)
    x = np.full((1, 1), 10 + 1 / 8 + 1 / 64, np.float32)
    assert _sampled(ramp, x, np.full((1, 1), 4, np.float32))[0, 0, 0] == round(80 + 9 / 8)


def test_pixels_without_a_share_are_left() -> None:
    x, y = _positions(0.5, 0.5)
    share, rows = np.zeros(x.shape, np.float32), np.full((*x.shape, 3), 7, np.uint8)
    share[3, 4] = 0.01
    CubicSampler(IMAGE).sample(x, y, share, rows)
    assert (rows[3, 4] != 7).any()
    rows[3, 4] = 7
    assert (rows == 7).all()


def test_weights_sum_to_one() -> None:
    assert np.allclose(tap_weights().sum(axis=1), 1, atol=1e-6)
