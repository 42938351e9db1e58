"""Optical flow: direction, accuracy, and zero where nothing moves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.core.warp import warp
from kadr.guides.flow import estimate_flow, flow_pair, gray
from kadr.image_files import read_image
from scenes import psnr, show, texture, translation

INNER = (slice(12, -12), slice(12, -12))


@pytest.mark.parametrize("move", [(3, 1), (-2.5, 0), (0, 4), (0.5, -0.25)])
def test_flow_points_to_where_the_content_went(move: tuple[float, float]) -> None:
    image = texture(96, 128)
    before, after = gray(image), gray(show(image, translation(*move)))
    flow = estimate_flow(before, after)
    assert (flow.dtype, flow.shape) == (np.float32, (96, 128, 2))
    assert np.abs(flow - np.float32(move))[INNER].max() < 0.25
    assert psnr(warp(after, flow), before, 12) > 40  # warps the neighbour onto the frame


def test_a_pair_has_both_directions() -> None:
    image = texture(96, 128)
    before, after = gray(image), gray(show(image, translation(3, 1)))
    pair = flow_pair(before, after)
    assert np.abs(pair.to_neighbour - np.float32([3, 1]))[INNER].max() < 0.25
    assert np.abs(pair.from_neighbour + np.float32([3, 1]))[INNER].max() < 0.25
    assert pair.occlusion.dtype == np.bool_
    assert not pair.occlusion[INNER].any()


def _with_square(x: int, noise: float, seed: int) -> np.ndarray:
    image = texture(120, 160)
    image[40:80, x : x + 40] = texture(40, 40, seed=5)
    grain = np.random.default_rng(seed).normal(0, noise, image.shape)
    return gray(np.clip(image + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("noise", [0, 1, 3])
def test_a_still_noisy_background_does_not_move_at_all(noise: float) -> None:
    pair = flow_pair(_with_square(50, noise, 1), _with_square(56, noise, 2))
    background = np.ones((120, 160), np.bool_)
    background[20:100, 26:124] = False
    assert (pair.to_neighbour[background] == 0).all()
    inside = np.median(pair.to_neighbour[50:70, 60:80], axis=(0, 1))
    assert np.abs(inside - [6, 0]).max() < 0.3


def test_slow_motion_is_kept() -> None:
    image = texture(96, 128)
    pair = flow_pair(gray(image), gray(show(image, translation(0.4, 0))))
    assert np.abs(np.median(pair.to_neighbour[INNER], axis=(0, 1)) - [0.4, 0]).max() < 0.1


def test_flow_is_the_same_for_any_number_of_cores() -> None:
    image = texture(180, 240)
    before, after = gray(image), gray(show(image, translation(2, 3)))
    count = cv2.getNumThreads()
    try:
        flows = []
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            flows.append(estimate_flow(before, after).tobytes())
    finally:
        cv2.setNumThreads(count)
    assert len(set(flows)) == 1


@pytest.mark.parametrize("size", [(16, 40), (24, 32), (40, 56), (200, 300)])
def test_flow_does_not_depend_on_earlier_calls(size: tuple[int, int]) -> None:
    def flow_bytes(height: int, width: int) -> bytes:
        image = texture(height, width)
        flow = estimate_flow(gray(image), gray(show(image, translation(1, 2))))
        return flow.tobytes()

    first = flow_bytes(96, 128), flow_bytes(*size)
    assert (flow_bytes(96, 128), flow_bytes(*size), flow_bytes(*size)) == (*first, first[1])


def test_a_frame_too_small_for_flow_stands_still() -> None:
    flow = estimate_flow(np.zeros((9, 40), np.uint8), np.full((9, 40), 200, np.uint8))
    assert flow.shape == (9, 40, 2)
    assert not flow.any()


def test_a_large_frame_keeps_its_pixels() -> None:
    image = cv2.resize(texture(200, 300, fine=3), (1500, 1000), interpolation=cv2.INTER_CUBIC)
    flow = estimate_flow(gray(image), gray(show(image, translation(12, -6))))
    assert flow.shape == (1000, 1500, 2)
    assert np.abs(np.median(flow, axis=(0, 1)) - [12, -6]).max() < 0.5


def test_alpha_does_not_change_gray() -> None:
    image = texture(20, 30)
    alpha = np.random.default_rng(0).integers(0, 255, (20, 30, 1)).astype(np.uint8)
    assert np.array_equal(gray(np.concatenate([image, alpha], axis=2)), gray(image))


def _read_flow(path: Path) -> np.ndarray:
    """A .flo file as (H, W, 2); unknown flow is larger than 1e9."""
    data = path.read_bytes()
    width, height = np.frombuffer(data, np.int32, 2, 4)
    return np.frombuffer(data, np.float32, width * height * 2, 12).reshape(height, width, 2)


@pytest.mark.parametrize(("name", "bound"), [("RubberWhale", 0.3), ("Venus", 0.5)])
def test_measured_motion_middlebury(real_clips: Path, name: str, bound: float) -> None:
    folder = real_clips / "flow_middlebury" / name
    truth = _read_flow(folder / "flow10.flo")
    valid = np.abs(truth).max(axis=2) < 1e9
    images = [gray(read_image(folder / f"frame{number}.png")) for number in (10, 11)]
    error = np.linalg.norm(estimate_flow(*images) - truth, axis=2)[valid]
    assert error.mean() < bound


def test_measured_motion_sintel(real_clips: Path) -> None:
    folder = real_clips / "flow_sintel" / "medium"
    truth = _read_flow(folder / "flow_0002.flo")
    occluded = read_image(folder / "occ_0002.png")[..., 0] > 127
    pair = flow_pair(*(gray(read_image(folder / f"frame_000{n}.png")) for n in (2, 3)))
    error = np.linalg.norm(pair.to_neighbour - truth, axis=2)
    assert np.median(error[~occluded]) < 0.4
    assert error[~occluded].mean() < 1.6  # motion of 15 pixels on the mean
    assert pair.occlusion[occluded].mean() > 4 * pair.occlusion[~occluded].mean()
