"""Joining by confidence: each function against its plain formula."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.guides.mix import mix_images, pass_error, select_positions

RNG = np.random.default_rng(0)
SIZE = (70, 9)
"""More rows than a band."""


def _confidence() -> np.ndarray:
    confidence = RNG.random(SIZE).astype(np.float32)
    confidence[0], confidence[1], confidence[2] = 0, 0.5, 1
    return confidence


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_confident_pixels_have_the_position_of_the_transport(kind: type) -> None:
    positions = RNG.integers(-1, 90, (*SIZE, 2)).astype(kind)
    transport = RNG.random((*SIZE, 2)).astype(np.float32)
    confidence = _confidence()
    selected = select_positions(positions, transport, confidence, 0.5)
    expected = np.where((confidence < 0.5)[..., None], positions, transport)
    assert selected.dtype == np.float32
    assert np.array_equal(selected, expected)


@pytest.mark.parametrize("channels", [3, 4])
def test_images_are_mixed_by_confidence_up_to_the_limit(channels: int) -> None:
    images = RNG.integers(0, 256, (2, *SIZE, channels)).astype(np.uint8)
    confidence = _confidence()
    mixed = mix_images(images[0], images[1], confidence, 0.9)
    weight = np.where(confidence < 0.9, confidence, 1)[..., None]
    expected = images[0] + weight * (images[1].astype(np.float64) - images[0])
    assert mixed.dtype == np.uint8
    assert np.abs(mixed - expected).max() <= 0.501
    assert np.array_equal(mixed[0], images[0, 0])
    assert np.array_equal(mixed[2], images[1, 2])


def test_the_error_is_what_similarity_and_confidence_lack() -> None:
    similarity = (2 * RNG.random(SIZE) - 1).astype(np.float32)
    confidence = _confidence()
    similarity[3], confidence[3] = 1, 1
    similarity[4], confidence[4] = -1, 0
    error = pass_error(similarity, confidence, 200.0, 130.0)
    expected = np.clip(200.0 * (1 - similarity) + 130.0 * (1 - confidence), 0, 255)
    assert error.dtype == np.uint8
    assert np.abs(error - expected).max() <= 1
    assert (error[3] == 0).all()
    assert (error[4] == 255).all()
