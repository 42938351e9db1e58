"""Settled flow: the camera's motion where it explains the frames, stillness where nothing moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.warp import grid
from kadr.guides.denoise_flow import denoise_flow, dominant_motion
from kadr.guides.flow import estimate_flow, gray
from scenes import Matrix, positions, rotation, show, texture, translation

HEIGHT, WIDTH = 120, 160
CENTER = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
INNER = (slice(16, -16), slice(16, -16))


def _noisy(image: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """(H, W) gray with grain of its own."""
    grain = np.random.default_rng(seed).normal(0, noise, image.shape)
    return gray(np.clip(image + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("fine", [1.5, 5.0])
@pytest.mark.parametrize(
    "camera",
    [translation(2.3, -1.2), translation(6, 3), rotation(1.0, CENTER, 1.01)],
    ids=["shift", "far", "turn and zoom"],
)
def test_a_camera_motion_is_found_through_noise(fine: float, camera: Matrix) -> None:
    faint = (128 + (texture(HEIGHT, WIDTH, fine=fine).astype(np.float32) - 128) * 0.4).astype(
        np.uint8
    )
    frame, before = _noisy(show(faint, camera), 3, 1), _noisy(faint, 3, 2)
    truth = positions(camera, HEIGHT, WIDTH) - grid(HEIGHT, WIDTH)
    raw = estimate_flow(frame, before)
    settled = denoise_flow(frame, before, raw)
    assert (settled.dtype, settled.shape) == (np.float32, raw.shape)
    miss = np.linalg.norm(settled - truth, axis=2)[INNER]
    assert miss.mean() < 0.12
    assert miss.max() < 0.35
    trembling = [(flow - truth)[INNER].std(axis=(0, 1)).max() for flow in (raw, settled)]
    assert trembling[1] < 0.85 * trembling[0]


@pytest.mark.parametrize("noise", [0.0, 2.0, 4.0])
def test_a_still_scene_stands_still_to_the_last_bit(noise: float) -> None:
    image = texture(HEIGHT, WIDTH)
    frame, before = _noisy(image, noise, 1), _noisy(image, noise, 2)
    raw = estimate_flow(frame, before)
    if noise:
        assert np.abs(raw).max() > 0.02  # there was something to settle
    assert not denoise_flow(frame, before, raw).any()


@pytest.mark.parametrize("move", [(4, 0), (-3, 2)])
@pytest.mark.parametrize("camera", [(0, 0), (2, 1)])
def test_a_small_patch_keeps_its_own_motion(move: tuple[int, int], camera: tuple[int, int]) -> None:
    def shown(time: int) -> np.ndarray:
        wide = texture(HEIGHT + 20, WIDTH + 20)
        moved = show(wide, translation(camera[0] * time, camera[1] * time))
        image = moved[10:-10, 10:-10].copy()
        x, y = 60 + move[0] * time, 44 + move[1] * time
        image[y : y + 32, x : x + 32] = texture(32, 32, seed=9)
        return _noisy(image, 2, seed=time)

    frame, before = shown(1), shown(0)
    settled = denoise_flow(frame, before, estimate_flow(frame, before))
    x, y = 60 + move[0], 44 + move[1]
    inside = settled[y + 8 : y + 24, x + 8 : x + 24]
    assert np.abs(inside + np.float32(move)).max() < 0.4
    ground = settled[:24, 16:-16]
    assert np.abs(np.median(ground, axis=(0, 1)) + np.float32(camera)).max() < 0.05


def _affine(height: int, width: int, numbers: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 flow: constant, change along x, change along y, each (x, y)."""
    whole = grid(height, width)
    return (numbers[0] + whole[..., :1] * numbers[1] + whole[..., 1:] * numbers[2]).astype(
        np.float32
    )


@given(seed=st.integers(0, 10**6), size=st.sampled_from([(96, 128), (37, 51), (60, 9)]))
@settings(max_examples=20)
def test_the_dominant_motion_outvotes_outliers(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    numbers = np.array([rng.uniform(-3, 3, 2), *rng.uniform(-0.02, 0.02, (2, 2))])
    truth = _affine(*size, numbers)
    flow = truth.copy()
    out = rng.random(size) < 0.4
    flow[out] += rng.normal(0, 8, (int(out.sum()), 2)).astype(np.float32)
    assert np.abs(dominant_motion(flow) - truth).max() < 0.05


def test_the_dominant_motion_is_one_of_two_not_between_them() -> None:
    truth = _affine(96, 128, np.array([[1.5, -2], [0.01, 0.015], [-0.02, 0.005]]))
    flow = truth.copy()
    flow[:38] += np.float32([5, -3])  # 40 % move another way
    found = dominant_motion(flow)
    assert (found.dtype, found.shape) == (np.float32, flow.shape)
    assert np.abs(found - truth).max() < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 1), (17, 33), (31, 20)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    frame, before = (rng.integers(0, 256, size).astype(np.uint8) for _ in range(2))
    flow = rng.normal(0, 1, (*size, 2)).astype(np.float32)
    settled = denoise_flow(frame, before, flow)
    assert (settled.dtype, settled.shape) == (np.float32, (*size, 2))
    assert np.isfinite(settled).all()
    assert not denoise_flow(frame, frame, np.zeros_like(flow)).any()


def test_the_same_frames_settle_alike_and_stay_as_they_were() -> None:
    image = texture(HEIGHT, WIDTH)
    frame, before = _noisy(show(image, translation(3, 1)), 3, 1), _noisy(image, 3, 2)
    raw = estimate_flow(frame, before)
    kept = [array.copy() for array in (frame, before, raw)]
    first = denoise_flow(frame, before, raw)
    assert np.array_equal(first, denoise_flow(frame, before, raw))
    assert all(np.array_equal(a, b) for a, b in zip(kept, (frame, before, raw), strict=True))
