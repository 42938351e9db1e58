"""Blending the keys' versions of a frame: properties of any correct blend."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from kadr.blend.pyramid import blend_images
from kadr.blend.weights import BlendWeights, Candidate, to_16_bits
from kadr.core.warp import grid
from scenes import texture

HEIGHT, WIDTH = 60, 90


def _flat(level: int, channels: int = 3) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, channels), level, np.uint8)


Version = tuple[Candidate, np.ndarray]
"""A key's version of a frame: its error and nearness, and the image."""


def _candidate(
    key: int, image: np.ndarray, nearness: float = 0.5, error: np.ndarray | int = 10
) -> Version:
    plane = np.zeros(image.shape[:2], np.uint8) + np.asarray(error, np.uint8)
    return Candidate(key, plane, nearness), image


def _mix(
    versions: Sequence[Version], blend_weights: BlendWeights, positions: np.ndarray | None
) -> np.ndarray:
    weights = blend_weights.weigh([candidate for candidate, _ in versions], positions)
    return blend_images(
        [image for _, image in versions], [weights[candidate.key] for candidate, _ in versions]
    )


def _blend(versions: Sequence[Version], blend_weights: BlendWeights | None = None) -> np.ndarray:
    size = versions[0][1].shape[:2]
    return _mix(
        versions, blend_weights or BlendWeights(), None if blend_weights is None else grid(*size)
    )


def _detail(image: np.ndarray) -> float:
    """Energy of the differences between neighbours."""
    return float(np.square(np.diff(image.astype(float), axis=1)).mean())


def test_one_candidate_is_returned_untouched() -> None:
    image = texture(HEIGHT, WIDTH)
    error = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8)
    assert np.array_equal(_blend([_candidate(3, image, 0.1, error)]), image)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_equal_images_blend_to_themselves(count: int) -> None:
    image = texture(HEIGHT, WIDTH)
    rng = np.random.default_rng(1)
    candidates = [
        _candidate(key, image, rng.random(), rng.integers(0, 255, (HEIGHT, WIDTH)))
        for key in range(count)
    ]
    blended = _blend(candidates)
    assert (blended.shape, blended.dtype) == (image.shape, np.uint8)
    assert np.abs(blended.astype(int) - image).max() <= 1


@pytest.mark.parametrize("channels", [3, 4])
def test_shares_sum_to_one(channels: int) -> None:
    # weights of one colour give that colour only if they sum to 1
    blend_weights = BlendWeights()
    for step in range(5):
        candidates = [
            _candidate(0, _flat(200, channels), 1 - step / 5, step * 50),
            _candidate(9, _flat(200, channels), step / 5, 200 - step * 50),
        ]
        blended = _blend(candidates, blend_weights)
        assert blended.shape == (HEIGHT, WIDTH, channels)
        assert np.abs(blended.astype(int) - 200).max() <= 1


def test_the_transition_between_keys_is_monotonic() -> None:
    blend_weights = BlendWeights()
    levels = []
    for step in range(11):
        nearness = 1 - step / 10
        candidates = [_candidate(0, _flat(50), nearness), _candidate(10, _flat(200), 1 - nearness)]
        blended = _blend(candidates, blend_weights)
        assert blended.min() >= 50
        assert blended.max() <= 200
        assert np.ptp(blended) <= 1  # all positions are alike
        levels.append(int(blended[0, 0, 0]))
    assert levels == sorted(levels)
    assert levels[0] < 70
    assert levels[-1] > 180


def test_equal_candidates_have_equal_shares_in_any_order() -> None:
    a, b = _candidate(0, _flat(50)), _candidate(9, _flat(200))
    assert abs(int(_blend([a, b])[5, 5, 0]) - 125) <= 1
    assert np.array_equal(_blend([a, b]), _blend([b, a]))


def test_each_pixel_is_taken_from_the_key_that_explains_it() -> None:
    error = np.zeros((HEIGHT, WIDTH), np.uint8)
    error[:, : WIDTH // 2] = 250
    candidates = [
        _candidate(0, _flat(50), 0.5, error),
        _candidate(9, _flat(200), 0.5, 250 - error),
    ]
    blended = _blend(candidates)
    assert blended[:, :20].mean() > 185
    assert blended[:, -20:].mean() < 65
    steps = np.diff(blended[30, :, 0].astype(int))
    assert np.abs(steps).max() < 40  # no seam between them


def test_the_weights_move_with_the_content() -> None:
    blend_weights = BlendWeights()
    error = np.zeros((HEIGHT, WIDTH), np.uint8)
    error[:, :40] = 250
    candidates = [
        _candidate(0, _flat(50), 0.5, error),
        _candidate(9, _flat(200), 0.5, 250 - error),
    ]
    for _ in range(4):
        _blend(candidates, blend_weights)
    # the content moved 20 pixels to the right, and the errors of this frame are equal
    positions = grid(HEIGHT, WIDTH) - np.float32([20, 0])
    blended = _mix([_candidate(0, _flat(50)), _candidate(9, _flat(200))], blend_weights, positions)
    assert blended[30, 45, 0] > 140
    assert blended[30, 85, 0] < 110


def test_textures_that_agree_lose_no_contrast() -> None:
    image = texture(HEIGHT, WIDTH).astype(int)
    a, b = (np.clip(image + shift, 0, 255).astype(np.uint8) for shift in (-6, 6))
    blended = _blend([_candidate(0, a), _candidate(9, b)])
    mean = (_detail(a) + _detail(b)) / 2
    assert 0.97 * mean < _detail(blended) < 1.03 * mean
    assert np.abs(blended.astype(int) - image)[8:-8, 8:-8].mean() < 2


def test_textures_that_differ_lose_little_contrast() -> None:
    a, b = texture(HEIGHT, WIDTH, seed=1), texture(HEIGHT, WIDTH, seed=2)
    blended = _blend([_candidate(0, a), _candidate(9, b)])
    mean = (_detail(a) + _detail(b)) / 2
    mean_detail = _detail((a.astype(np.float32) + b) / 2)
    assert mean_detail < 0.6 * mean  # a plain mean loses half of the energy
    assert 0.7 * mean < _detail(blended) < 1.2 * mean


def test_keys_may_start_and_end() -> None:
    blend_weights = BlendWeights()
    first = _blend([_candidate(0, _flat(50))], blend_weights)
    assert (first == 50).all()
    _blend([_candidate(0, _flat(50), 0.6), _candidate(9, _flat(200), 0.4)], blend_weights)
    levels = {0: 50, 9: 90, 20: 200}
    three = _blend(
        [_candidate(key, _flat(level), 0.3) for key, level in levels.items()], blend_weights
    )
    assert 50 <= three.min() <= three.max() <= 200
    last = [_candidate(20, _flat(120), 0.5), _candidate(30, _flat(120), 0.5)]
    assert np.abs(_blend(last, blend_weights).astype(int) - 120).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 5), (33, 21)])
def test_odd_and_tiny_frames(size: tuple[int, int]) -> None:
    image = texture(*size)
    blended = _blend([_candidate(0, image), _candidate(9, image)])
    assert np.abs(blended.astype(int) - image).max() <= 1


def test_candidates_are_not_written_to() -> None:
    a, b = texture(HEIGHT, WIDTH, seed=1), texture(HEIGHT, WIDTH, seed=2)
    for image in (a, b):
        image.flags.writeable = False
    _blend([_candidate(0, a), _candidate(9, b)], BlendWeights())
    assert np.array_equal(a, texture(HEIGHT, WIDTH, seed=1))


def test_weights_may_be_smaller_than_the_frames() -> None:
    error = np.zeros((HEIGHT // 4, WIDTH // 4), np.uint8)
    error[:, : WIDTH // 8] = 250
    blend_weights = BlendWeights()
    weights = blend_weights.weigh([Candidate(0, error, 0.5), Candidate(9, 250 - error, 0.5)], None)
    assert weights[0].shape == error.shape
    blended = blend_images([_flat(50), _flat(200)], [weights[0], weights[9]])
    assert blended.shape == (HEIGHT, WIDTH, 3)
    assert blended[:, :15].mean() > 185
    assert blended[:, -15:].mean() < 65


def test_the_error_is_the_weighted_mean() -> None:
    blend_weights = BlendWeights()
    flat = np.full((20, 30), 51, np.uint8)
    blend_weights.weigh([Candidate(0, flat, 0.1)], None)
    assert blend_weights.error == pytest.approx(0.2)
    blend_weights.weigh([Candidate(0, flat * 5, 0.5), Candidate(9, flat * 0, 0.5)], None)
    assert blend_weights.error < 0.02
    blend_weights.start(9, (20, 30))
    assert blend_weights.error == 0.0


def test_the_weights_of_a_key_frame_are_kept() -> None:
    blend_weights = BlendWeights()
    blend_weights.start(0, (HEIGHT, WIDTH))
    error = np.full((HEIGHT, WIDTH), 10, np.uint8)
    after = blend_weights.weigh(
        [Candidate(0, error, 0.5), Candidate(9, error, 0.5)], grid(HEIGHT, WIDTH)
    )
    assert after[0].min() > 0.75


@pytest.mark.parametrize("count", [1, 2, 5])
def test_weights_of_16_bits_sum_to_all_of_a_pixel(count: int) -> None:
    random = np.random.default_rng(count)
    weights = random.dirichlet(np.full(count, 0.3), (40, 50)).astype(np.float32).transpose(2, 0, 1)
    weights *= np.float32(1 - 2e-6)  # as blending divides by a sum that is slightly larger
    whole = to_16_bits(weights)
    assert whole.dtype == np.uint16
    assert (whole.sum(axis=0, dtype=np.int64) == 65535).all()
    assert np.abs(whole - weights * 65535.0).max() < 1.2


def test_errors_of_a_window_are_weighed_as_those_of_the_whole_frame() -> None:
    rng = np.random.default_rng(3)
    errors = [cv2.resize(rng.integers(0, 256, (34, 60), np.uint8), (240, 135)) for _ in range(2)]
    window = np.s_[20:100, 40:150]

    def weigh(parts: list[np.ndarray], side: int | None) -> np.ndarray:
        candidates = [Candidate(key, np.ascontiguousarray(part), 0.5)
                      for key, part in enumerate(parts)]  # fmt: skip
        return BlendWeights(side).weigh(candidates, None)[0]

    whole = weigh(errors, None)[window]
    inner = np.s_[10:-10, 10:-10]
    parts = [error[window] for error in errors]
    assert np.abs(weigh(parts, 240) - whole)[inner].max() < 1e-5
    assert np.abs(weigh(parts, None) - whole)[inner].max() > 0.01, "blurred by its own size"
