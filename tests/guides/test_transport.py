"""Transport: composed steps equal the whole way; registration undoes drift; stretch is measured."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kadr.core.warp import grid
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.guides.transport import carry, identity, register, stretch
from scenes import Matrix, positions, rotation, show, texture, translation

HEIGHT, WIDTH = 140, 180
CENTER = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
INNER = (slice(30, -30), slice(30, -30))


def _exact(matrix: Matrix) -> FlowPair:
    """The flow to the frame before, of content that moved by ``matrix``."""
    flow = positions(matrix, HEIGHT, WIDTH) - grid(HEIGHT, WIDTH)
    return FlowPair(flow, -flow, np.zeros((HEIGHT, WIDTH), np.bool_))


def _miss(transport: np.ndarray, truth: np.ndarray) -> np.ndarray:
    assert transport.dtype == np.float32
    return np.linalg.norm(transport - truth, axis=2)[INNER]


def test_the_key_frame_comes_from_itself() -> None:
    whole = identity(7, 9)
    assert np.array_equal(whole, grid(7, 9))
    whole[0, 0] = 3  # its own copy
    assert not grid(7, 9)[0, 0].any()


@pytest.mark.parametrize(
    ("step", "whole"),
    [
        (translation(1.25, -0.5), translation(12.5, -5)),
        (rotation(1, CENTER), rotation(10, CENTER)),
        (rotation(0, CENTER, 1.02), rotation(0, CENTER, 1.02**10)),
    ],
    ids=["slide", "turn", "zoom"],
)
def test_ten_exact_steps_make_the_whole_way(step: Matrix, whole: Matrix) -> None:
    transport = identity(HEIGHT, WIDTH)
    for _ in range(10):
        transport = carry(transport, _exact(step))
    assert _miss(transport, positions(whole, HEIGHT, WIDTH)).max() < 0.25


def test_estimated_steps_stay_close_and_registration_brings_them_closer() -> None:
    picture = texture(HEIGHT, WIDTH)
    frames = [gray(show(picture, rotation(t, CENTER))) for t in range(11)]
    transport = identity(HEIGHT, WIDTH)
    for before, frame in itertools.pairwise(frames):
        transport = carry(transport, flow_pair(frame, before))
    truth = positions(rotation(10, CENTER), HEIGHT, WIDTH)
    composed = np.median(_miss(transport, truth))
    registered = np.median(_miss(register(transport, frames[0], frames[10]), truth))
    assert composed < 0.6
    assert registered < 0.8 * composed


def test_a_shifted_transport_is_put_right() -> None:
    picture = texture(HEIGHT, WIDTH)
    way = rotation(10, CENTER)
    truth = positions(way, HEIGHT, WIDTH)
    key, frame = gray(picture), gray(show(picture, way))
    shifted = truth + np.float32([1.5, -1])
    assert np.percentile(_miss(register(shifted, key, frame), truth), 95) < 0.2


def test_a_right_transport_is_left_alone_in_spite_of_noise() -> None:
    rng = np.random.default_rng(0)
    picture = texture(HEIGHT, WIDTH)
    way = translation(4, 2)
    truth = positions(way, HEIGHT, WIDTH)
    key, frame = (
        gray(np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8))
        for image in (picture, show(picture, way))
    )
    assert _miss(register(truth, key, frame), truth).max() < 0.1


def test_where_there_is_only_noise_nothing_trembles() -> None:
    rng = np.random.default_rng(0)
    faint = (128 + (texture(HEIGHT, WIDTH).astype(np.float32) - 128) * 0.04).clip(0, 255)
    key, frame = (
        gray(np.clip(faint + rng.normal(0, 3, faint.shape), 0, 255).astype(np.uint8))
        for _ in range(2)
    )
    whole = identity(HEIGHT, WIDTH)
    assert _miss(register(whole, key, frame), whole).mean() < 0.02


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_rigid_moves_do_not_stretch(degrees: float) -> None:
    factor = stretch(positions(rotation(degrees, CENTER), HEIGHT, WIDTH))
    assert (factor.dtype, factor.shape) == (np.float32, (HEIGHT, WIDTH))
    assert np.abs(factor - 1).max() < 1e-3


@pytest.mark.parametrize("zoom", [0.5, 0.8, 1.25, 2.0])
def test_zoom_is_measured_either_way(zoom: float) -> None:
    factor = stretch(positions(rotation(20, CENTER, zoom), HEIGHT, WIDTH))
    assert np.allclose(factor, max(zoom, 1 / zoom), rtol=1e-3)


def test_one_axis_is_enough() -> None:
    squeezed = identity(HEIGHT, WIDTH) * np.float32([3, 1])
    assert np.allclose(stretch(squeezed), 3, rtol=1e-3)


def test_a_fold_is_worse_than_any_stretch() -> None:
    folded = identity(HEIGHT, WIDTH)
    folded[..., 0] = np.abs(folded[..., 0] - 90)
    factor = stretch(folded)
    assert factor[:, :80].min() > 100  # mirrored
    assert factor[:, 100:].max() < 1.01
