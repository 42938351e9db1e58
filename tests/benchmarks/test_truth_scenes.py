"""Known motions, measures and baselines of the truth benchmark against known answers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import _scenes
from _methods import run_crossfade, run_warp
from _scenes import FRAME_COUNT, NAMES, jerk, make_scene, translation, turn_and_zoom
from kadr.measure.psnr import peak_signal_to_noise as psnr
from kadr.options import PropagateOptions

OPTIONS = PropagateOptions()


@pytest.fixture(autouse=True)
def _small_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render only the middle of every scene."""
    monkeypatch.setattr(_scenes, "WIDTH", 128)
    monkeypatch.setattr(_scenes, "HEIGHT", 72)


def _texture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.uniform(0, 255, (96, 128, 3)).astype(np.float32), (0, 0), 2)
    return np.clip((image - 128) * 4 + 128, 0, 255).astype(np.uint8)


def test_motions_have_their_documented_size() -> None:
    points = np.random.default_rng(2).uniform(-100, 100, (5, 6, 2)).astype(np.float32)
    last = FRAME_COUNT - 1
    shift = translation(points, last) - translation(points, 0)
    np.testing.assert_allclose(shift, np.broadcast_to([1.27 * 27, 0.43 * 27], shift.shape), 1e-4)
    turned = turn_and_zoom(points, last)
    np.testing.assert_allclose(
        np.hypot(*turned.transpose(2, 0, 1)), np.hypot(*points.transpose(2, 0, 1)) / 1.25, 1e-4
    )
    assert np.abs(jerk(points, 3) - jerk(points, 2)).max() < 0.2
    assert np.abs(jerk(points, 11) - jerk(points, 10)).max() > 10


@pytest.mark.parametrize("name", NAMES)
def test_scenes_are_repeatable_and_filmed_and_truth_move_together(name: str) -> None:
    scene, second_scene = (make_scene(name, None, frame_count=2) for _ in range(2))
    assert len(scene.filmed) == len(scene.truth) == 2
    for images, second_images in (
        (scene.filmed, second_scene.filmed),
        (scene.truth, second_scene.truth),
    ):
        for image, second_image in zip(images, second_images, strict=True):
            assert image.shape == (72, 128, 3)
            np.testing.assert_array_equal(image, second_image)
    assert psnr(scene.truth[0], scene.truth[1]) < 60


def test_truth_is_rendered_where_the_motion_says() -> None:
    first, last = make_scene("translation", None, frame_count=2).truth
    y, x = np.mgrid[:72, :128].astype(np.float32)
    # a pixel shows what was 1.27 pixels further on in the first frame
    moved = cv2.remap(first, x + np.float32(1.27), y + np.float32(0.43), cv2.INTER_CUBIC)
    inside = (slice(8, -8), slice(8, -8))
    wrong = cv2.remap(first, x - np.float32(1.27), y - np.float32(0.43), cv2.INTER_CUBIC)
    assert psnr(moved[inside], last[inside]) > 30 > psnr(wrong[inside], last[inside])


def test_crossfade_holds_and_mixes() -> None:
    dark, light = np.full((4, 4, 3), 40, np.uint8), np.full((4, 4, 3), 80, np.uint8)
    frames = run_crossfade([dark] * 7, {1: dark, 5: light}, OPTIONS)
    assert [int(image[0, 0, 0]) for image in frames] == [40, 40, 50, 60, 70, 80, 80]


def test_warp_follows_a_shift_from_the_nearest_key() -> None:
    wide = np.hstack([_texture(3), _texture(4)])
    filmed = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 120]) for i in range(5)]
    red = [255 - image for image in filmed]
    frames = run_warp(filmed, {0: red[0], 4: red[4][..., ::-1].copy()}, OPTIONS)
    inside = (slice(12, -12), slice(12, -12))
    np.testing.assert_array_equal(frames[0], red[0])
    assert psnr(frames[1][inside], red[1][inside]) > 30
    assert psnr(frames[3][inside], red[3][..., ::-1][inside]) > 30
