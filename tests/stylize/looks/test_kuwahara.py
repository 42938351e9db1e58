"""The Kuwahara filter: what it must keep, what it must remove."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kadr.stylize.looks.kuwahara import kuwahara
from kadr.stylize.looks.structure_tensor import local_directions


def _filter(image: np.ndarray, radius: float = 4.0, **options: float) -> np.ndarray:
    return kuwahara(image, local_directions(image, 2.0), radius, **options)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (12, 200, 99)])
def test_one_colour_stays(colour: tuple[int, int, int]) -> None:
    image = np.full((20, 24, 3), colour, np.uint8)
    np.testing.assert_allclose(_filter(image), image, atol=0.01)


@pytest.mark.parametrize("radius", [2.0, 4.0, 7.0])
def test_a_step_stays_a_step(radius: float) -> None:
    image = np.full((40, 60, 3), 40, np.uint8)
    image[:, 30:] = 210
    out = _filter(image, radius)[8:-8, :, 0]
    # one pixel away from the edge the old colour stands again
    assert np.abs(out[:, :29] - 40).max() < 4
    assert np.abs(out[:, 31:] - 210).max() < 4


def test_noise_falls() -> None:
    noise = np.random.default_rng(0).normal(128, 12, (64, 64, 3))
    image = np.clip(noise, 0, 255).astype(np.uint8)
    assert _filter(image).var() < image.var() / 5


def test_a_corner_is_not_rounded_away() -> None:
    image = np.full((40, 40, 3), 30, np.uint8)
    image[:20, :20] = 220
    out = _filter(image)[..., 0]
    wrong = (out > 125) != (image[..., 0] > 125)
    assert wrong.sum() <= 10


def test_sharpness_zero_is_a_blur_and_more_is_sharper() -> None:
    image = np.full((40, 40, 3), 40, np.uint8)
    image[:, 20:] = 210
    steepest = [
        np.abs(np.diff(_filter(image, sharpness=value)[20, :, 0])).max()
        for value in (0.0, 2.0, 8.0)
    ]
    assert steepest[0] < steepest[1] <= steepest[2] + 1e-3


def test_threads_change_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 40, 3)).astype(np.uint8)
    directions = local_directions(image, 2.0)
    single_thread = kuwahara(image, directions, 5.0, threads=1)
    np.testing.assert_array_equal(single_thread, kuwahara(image, directions, 5.0, threads=4))


def test_turning_the_picture_turns_the_result() -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    smooth = np.ascontiguousarray(np.kron(image, np.ones((2, 2, 1), np.uint8)))
    turned = np.ascontiguousarray(np.rot90(smooth))
    difference = np.abs(np.rot90(_filter(smooth)) - _filter(turned))
    # points are rounded to pixels one way only, so not to the last bit
    assert np.median(difference) < 2


def test_round_neighbourhoods_without_anisotropy() -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    directions = local_directions(image, 2.0)
    isotropic = replace(directions, anisotropy=np.zeros_like(directions.anisotropy))
    a = kuwahara(image, directions, 3.0, anisotropy=0.0)
    b = kuwahara(image, isotropic, 3.0, anisotropy=1.0)
    np.testing.assert_allclose(a, b, atol=1e-3)
