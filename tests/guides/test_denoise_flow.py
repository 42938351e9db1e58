"""Denoised flow: the camera motion where it explains the frames, zero where nothing moves."""

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
    """(H, W) gray with noise from ``seed``."""
    grain = np.random.default_rng(seed).normal(0, noise, image.shape)
    return gray(np.clip(image + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("fine", [1.5, 5.0])
@pytest.mark.parametrize(
    "camera",
    [translation(2.3, -1.2), translation(6, 3), rotation(1.0, CENTER, 1.01)],
    ids=["shift", "far", "turn and zoom"],
)
def test_camera_motion_is_estimated_in_spite_of_noise(fine: float, camera: Matrix) -> None:
    faint = (128 + (texture(HEIGHT, WIDTH, fine=fine).astype(np.float32) - 128) * 0.4).astype(
        np.uint8
    )
    frame, previous = _noisy(show(faint, camera), 3, 1), _noisy(faint, 3, 2)
    truth = positions(camera, HEIGHT, WIDTH) - grid(HEIGHT, WIDTH)
    raw = estimate_flow(frame, previous)
    denoised = denoise_flow(frame, previous, raw)
    assert (denoised.dtype, denoised.shape) == (np.float32, raw.shape)
    error = np.linalg.norm(denoised - truth, axis=2)[INNER]
    assert error.mean() < 0.12
    assert error.max() < 0.35
    jitter = [(flow - truth)[INNER].std(axis=(0, 1)).max() for flow in (raw, denoised)]
    assert jitter[1] < 0.85 * jitter[0]


@pytest.mark.parametrize("noise", [0.0, 2.0, 4.0])
def test_a_still_scene_has_exactly_zero_flow(noise: float) -> None:
    image = texture(HEIGHT, WIDTH)
    frame, previous = _noisy(image, noise, 1), _noisy(image, noise, 2)
    raw = estimate_flow(frame, previous)
    if noise:
        assert np.abs(raw).max() > 0.02  # there is noise to remove
    assert not denoise_flow(frame, previous, raw).any()


@pytest.mark.parametrize("move", [(4, 0), (-3, 2)])
@pytest.mark.parametrize("camera", [(0, 0), (2, 1)])
def test_a_small_patch_keeps_its_motion(move: tuple[int, int], camera: tuple[int, int]) -> None:
    def frame_at(time: int) -> np.ndarray:
        wide = texture(HEIGHT + 20, WIDTH + 20)
        moved = show(wide, translation(camera[0] * time, camera[1] * time))
        image = moved[10:-10, 10:-10].copy()
        x, y = 60 + move[0] * time, 44 + move[1] * time
        image[y : y + 32, x : x + 32] = texture(32, 32, seed=9)
        return _noisy(image, 2, seed=time)

    frame, previous = frame_at(1), frame_at(0)
    denoised = denoise_flow(frame, previous, estimate_flow(frame, previous))
    x, y = 60 + move[0], 44 + move[1]
    inside = denoised[y + 8 : y + 24, x + 8 : x + 24]
    assert np.abs(inside + np.float32(move)).max() < 0.4
    ground = denoised[:24, 16:-16]
    assert np.abs(np.median(ground, axis=(0, 1)) + np.float32(camera)).max() < 0.05


def _affine(height: int, width: int, parameters: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 flow: constant, change along x, change along y, each (x, y)."""
    coordinates = grid(height, width)
    return (
        parameters[0] + coordinates[..., :1] * parameters[1] + coordinates[..., 1:] * parameters[2]
    ).astype(np.float32)


@given(seed=st.integers(0, 10**6), size=st.sampled_from([(96, 128), (37, 51), (60, 9)]))
@settings(max_examples=20)
def test_the_dominant_motion_is_robust_against_outliers(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    parameters = np.array([rng.uniform(-3, 3, 2), *rng.uniform(-0.02, 0.02, (2, 2))])
    truth = _affine(*size, parameters)
    flow = truth.copy()
    outliers = rng.random(size) < 0.4
    flow[outliers] += rng.normal(0, 8, (int(outliers.sum()), 2)).astype(np.float32)
    assert np.abs(dominant_motion(flow) - truth).max() < 0.05


def test_the_dominant_motion_is_one_of_two_not_between_them() -> None:
    truth = _affine(96, 128, np.array([[1.5, -2], [0.01, 0.015], [-0.02, 0.005]]))
    flow = truth.copy()
    flow[:38] += np.float32([5, -3])  # 40 % move another way
    motion = dominant_motion(flow)
    assert (motion.dtype, motion.shape) == (np.float32, flow.shape)
    assert np.abs(motion - truth).max() < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 1), (17, 33), (31, 20)])
def test_any_size_is_accepted(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    frame, previous = (rng.integers(0, 256, size).astype(np.uint8) for _ in range(2))
    flow = rng.normal(0, 1, (*size, 2)).astype(np.float32)
    denoised = denoise_flow(frame, previous, flow)
    assert (denoised.dtype, denoised.shape) == (np.float32, (*size, 2))
    assert np.isfinite(denoised).all()
    assert not denoise_flow(frame, frame, np.zeros_like(flow)).any()


def test_the_result_is_deterministic_and_inputs_are_not_changed() -> None:
    image = texture(HEIGHT, WIDTH)
    frame, previous = _noisy(show(image, translation(3, 1)), 3, 1), _noisy(image, 3, 2)
    raw = estimate_flow(frame, previous)
    copies = [array.copy() for array in (frame, previous, raw)]
    first = denoise_flow(frame, previous, raw)
    assert np.array_equal(first, denoise_flow(frame, previous, raw))
    assert all(np.array_equal(a, b) for a, b in zip(copies, (frame, previous, raw), strict=True))


def test_limits_are_in_pixels_of_the_clip() -> None:
    flat, flow = np.full((HEIGHT, WIDTH), 90, np.uint8), np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[..., 0] = 0.2
    assert not denoise_flow(flat, flat, flow).any(), "a fifth of a pixel is still"
    assert np.abs(denoise_flow(flat, flat, flow, unit=2.0) - flow).max() < 1e-3, "two fifths move"


def test_the_neighbourhood_in_a_window_is_that_in_the_whole_frame() -> None:
    image = gray(texture(80, 120, seed=4))
    noise = np.random.default_rng(0).normal(0, 0.3, (80, 120, 2)).astype(np.float32)
    flow = noise + np.float32([2, 0]) * (np.arange(120) > 60)[None, :, None]
    own = denoise_flow(image, image, flow)
    assert np.array_equal(denoise_flow(image, image, flow, side=120), own)
    assert not np.array_equal(denoise_flow(image, image, flow, side=480), own)
