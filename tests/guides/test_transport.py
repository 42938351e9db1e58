"""Transport: composed steps equal the total motion; registration corrects drift; stretch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kadr.core.warp import grid
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.guides.transport import compose, identity, local_stretch, register
from scenes import Matrix, positions, rotation, show, texture, translation

HEIGHT, WIDTH = 140, 180
CENTER = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
INNER = (slice(30, -30), slice(30, -30))


def _exact(matrix: Matrix) -> FlowPair:
    """The flow to the previous frame, of content that moved by ``matrix``."""
    flow = positions(matrix, HEIGHT, WIDTH) - grid(HEIGHT, WIDTH)
    return FlowPair(flow, -flow, np.zeros((HEIGHT, WIDTH), np.bool_))


def _distance(transport: np.ndarray, truth: np.ndarray) -> np.ndarray:
    assert transport.dtype == np.float32
    return np.linalg.norm(transport - truth, axis=2)[INNER]


def test_the_key_frame_comes_from_itself() -> None:
    transport = identity(7, 9)
    assert np.array_equal(transport, grid(7, 9))
    transport[0, 0] = 3  # a copy
    assert not grid(7, 9)[0, 0].any()


@pytest.mark.parametrize(
    ("step", "total"),
    [
        (translation(1.25, -0.5), translation(12.5, -5)),
        (rotation(1, CENTER), rotation(10, CENTER)),
        (rotation(0, CENTER, 1.02), rotation(0, CENTER, 1.02**10)),
    ],
    ids=["slide", "turn", "zoom"],
)
def test_ten_exact_steps_equal_the_total_motion(step: Matrix, total: Matrix) -> None:
    transport = identity(HEIGHT, WIDTH)
    for _ in range(10):
        transport = compose(transport, _exact(step))
    assert _distance(transport, positions(total, HEIGHT, WIDTH)).max() < 0.25


def test_registration_reduces_the_drift_of_estimated_steps() -> None:
    image = texture(HEIGHT, WIDTH)
    frames = [gray(show(image, rotation(t, CENTER))) for t in range(11)]
    transport = identity(HEIGHT, WIDTH)
    for previous, frame in itertools.pairwise(frames):
        transport = compose(transport, flow_pair(frame, previous))
    truth = positions(rotation(10, CENTER), HEIGHT, WIDTH)
    composed = np.median(_distance(transport, truth))
    registered = np.median(_distance(register(transport, frames[0], frames[10]), truth))
    assert composed < 0.6
    assert registered < 0.8 * composed


def test_a_shifted_transport_is_corrected() -> None:
    image = texture(HEIGHT, WIDTH)
    motion = rotation(10, CENTER)
    truth = positions(motion, HEIGHT, WIDTH)
    key, frame = gray(image), gray(show(image, motion))
    shifted = truth + np.float32([1.5, -1])
    assert np.percentile(_distance(register(shifted, key, frame), truth), 95) < 0.2


def test_a_correct_transport_is_not_changed_by_noise() -> None:
    rng = np.random.default_rng(0)
    image = texture(HEIGHT, WIDTH)
    motion = translation(4, 2)
    truth = positions(motion, HEIGHT, WIDTH)
    key, frame = (
        gray(np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8))
        for image in (image, show(image, motion))
    )
    assert _distance(register(truth, key, frame), truth).max() < 0.1


def test_noise_alone_causes_no_jitter() -> None:
    rng = np.random.default_rng(0)
    faint = (128 + (texture(HEIGHT, WIDTH).astype(np.float32) - 128) * 0.04).clip(0, 255)
    key, frame = (
        gray(np.clip(faint + rng.normal(0, 3, faint.shape), 0, 255).astype(np.uint8))
        for _ in range(2)
    )
    transport = identity(HEIGHT, WIDTH)
    assert _distance(register(transport, key, frame), transport).mean() < 0.02


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_rigid_moves_do_not_stretch(degrees: float) -> None:
    factor = local_stretch(positions(rotation(degrees, CENTER), HEIGHT, WIDTH))
    assert (factor.dtype, factor.shape) == (np.float32, (HEIGHT, WIDTH))
    assert np.abs(factor - 1).max() < 1e-3


@pytest.mark.parametrize("zoom", [0.5, 0.8, 1.25, 2.0])
def test_zoom_is_measured_in_both_directions(zoom: float) -> None:
    factor = local_stretch(positions(rotation(20, CENTER, zoom), HEIGHT, WIDTH))
    assert np.allclose(factor, max(zoom, 1 / zoom), rtol=1e-3)


def test_one_axis_is_enough() -> None:
    squeezed = identity(HEIGHT, WIDTH) * np.float32([3, 1])
    assert np.allclose(local_stretch(squeezed), 3, rtol=1e-3)


def test_a_fold_is_worse_than_any_stretch() -> None:
    folded = identity(HEIGHT, WIDTH)
    folded[..., 0] = np.abs(folded[..., 0] - 90)
    factor = local_stretch(folded)
    assert factor[:, :80].min() > 100  # mirrored
    assert factor[:, 100:].max() < 1.01
