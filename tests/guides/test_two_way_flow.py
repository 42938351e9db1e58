"""Flow in both directions: small when stored, and always as precise as that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.guides.flow import (
    denoised_flow,
    estimate_flow,
    estimate_two_way,
    flow_pair,
    gray,
    reduce_for_flow,
)
from kadr.guides.two_way_flow import TwoWayFlow
from scenes import show, texture, translation


def _random(seed: int, size: tuple[int, int], most: float) -> TwoWayFlow:
    flows = np.random.default_rng(seed).uniform(-most, most, (2, *size, 2)).astype(np.float32)
    return TwoWayFlow(flows[0], flows[1])


@given(
    seed=st.integers(0, 1000),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    most=st.sampled_from([0.01, 3.0, 200.0]),
)
def test_storing_rounds_to_a_small_part_of_a_pixel(
    seed: int, size: tuple[int, int], most: float
) -> None:
    flow = _random(seed, size, most)
    packed = flow.pack()
    stored = TwoWayFlow.unpack(packed, size)
    assert packed.dtype == np.uint16
    assert np.abs(stored.forward - flow.forward).max() <= 1 / 250
    assert np.abs(stored.backward - flow.backward).max() <= 1 / 250
    assert np.array_equal(stored.pack(), packed), "what was stored is exact"


def test_flow_farther_than_can_be_stored_is_clipped() -> None:
    flow = TwoWayFlow(*(np.full((2, 3, 2), value, np.float32) for value in (-1000, 1000)))
    rounded = flow.rounded()
    assert (rounded.forward == -256).all()
    assert (np.abs(rounded.backward - 256) < 0.01).all()


@pytest.mark.parametrize("shape", [(4, 6), (5, 5), (6, 4)])
def test_the_flow_of_another_size_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"reduced to {shape[1]}×{shape[0]} pixels"):
        TwoWayFlow.unpack(_random(0, (4, 5), 1).pack(), shape)


def test_the_estimate_of_swapped_frames_is_the_reverse() -> None:
    image = texture(96, 128)
    a, b = (reduce_for_flow(gray(show(image, translation(3 * time, time)))) for time in (0, 1))
    both, swapped = estimate_two_way(a, b), estimate_two_way(b, a).reversed
    assert both.forward.tobytes() == swapped.forward.tobytes()
    assert both.backward.tobytes() == swapped.backward.tobytes()
    assert np.abs(both.forward[8:-8, 8:-8] - np.float32([1.5, 0.5])).max() < 0.25
    assert both.pack().tobytes() == both.rounded().pack().tobytes()


def test_a_given_estimate_is_used() -> None:
    image = texture(96, 128)
    before, after = gray(image), gray(show(image, translation(3, 1)))
    estimate = estimate_two_way(reduce_for_flow(before), reduce_for_flow(after))
    expected, pair = flow_pair(before, after), flow_pair(before, after, estimate)
    assert expected.to_neighbour.tobytes() == pair.to_neighbour.tobytes()
    other = flow_pair(before, after, TwoWayFlow(estimate.forward - 4, estimate.backward + 4))
    assert np.abs(other.to_neighbour - expected.to_neighbour).mean() > 4


@pytest.mark.parametrize(
    ("size", "reduced"),
    [((540, 960), (270, 480)), ((96, 129), (48, 64)), ((1600, 800), (640, 320))],
)
def test_frames_are_halved_and_no_larger_than_needed(
    size: tuple[int, int], reduced: tuple[int, int]
) -> None:
    assert reduce_for_flow(np.zeros(size, np.uint8)).shape == reduced


def test_denoised_flow_stands_exactly_still_where_nothing_moves() -> None:
    image = texture(96, 128).astype(np.float32)
    grain = np.random.default_rng(0).normal(0, 3, (2, *image.shape))
    a, b = (gray(np.clip(image + noise, 0, 255).astype(np.uint8)) for noise in grain)
    assert np.abs(estimate_flow(a, b)).max() > 0.02
    assert not denoised_flow(a, b).any()
