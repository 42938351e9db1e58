"""Blending in a pyramid: weight 1 returns an image, colours mix according to the weights."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.blend.pyramid import blend_images
from scenes import texture


def _weights(first: np.ndarray) -> list[np.ndarray]:
    return [first.astype(np.float32), (1 - first).astype(np.float32)]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 5), (9, 64), (60, 90)])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_weight_1_returns_that_image(size: tuple[int, int], weight: float) -> None:
    images = [texture(*size, seed=1), texture(*size, seed=2)]
    blended = blend_images(images, _weights(np.full(size, weight)))
    assert np.abs(blended.astype(int) - images[0 if weight else 1]).max() <= 1


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.9])
def test_flat_colours_mix_according_to_the_weights(weight: float) -> None:
    images = [np.full((30, 40, 4), level, np.uint8) for level in (40, 240)]
    blended = blend_images(images, _weights(np.full((30, 40), weight)))
    assert np.abs(blended - (40 * weight + 240 * (1 - weight))).max() <= 1


def test_a_hard_edge_between_colours_is_spread_widely() -> None:
    images = [np.full((64, 96, 3), level, np.uint8) for level in (40, 240)]
    blended = blend_images(images, _weights(np.tile(np.arange(96) < 48, (64, 1))))
    row = blended[32, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 30
    assert row[0] < 60
    assert row[-1] > 220


def test_each_side_keeps_its_texture() -> None:
    images = [texture(64, 128, seed=1), texture(64, 128, seed=2)]
    blended = blend_images(images, _weights(np.tile(np.arange(128) < 64, (64, 1)))).astype(float)
    for image, side in ((images[0], slice(4, 40)), (images[1], slice(88, 124))):
        fine = [np.diff(array[:, side].astype(float), axis=1).ravel() for array in (image, blended)]
        assert np.corrcoef(*fine)[0, 1] > 0.99


def test_rows_make_no_seams_and_threads_no_difference() -> None:
    """One image twice is that image: every level is put together again from its rows."""
    image = texture(301, 67, seed=3)
    weights = _weights(np.linspace(0, 1, 19 * 5).reshape(19, 5))
    assert np.array_equal(blend_images([image, image], weights), image)
    other = texture(301, 67, seed=4)
    one, four = (blend_images([image, other], weights, threads=threads) for threads in (1, 4))
    assert np.array_equal(one, four)


@pytest.mark.parametrize("divisor", [2, 3, 7])
def test_small_weights_mix_as_enlarged_ones(divisor: int) -> None:
    images = [texture(96, 128, seed=1), texture(96, 128, seed=2)]
    small = np.tile(np.linspace(0, 1, 128 // divisor), (96 // divisor, 1)).astype(np.float32)
    large = cv2.resize(small, (128, 96), interpolation=cv2.INTER_LINEAR)
    blends = [blend_images(images, _weights(weights)).astype(int) for weights in (small, large)]
    assert np.abs(blends[0] - blends[1]).mean() < 1
