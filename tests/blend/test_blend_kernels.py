"""The kernels of the blend against their plain twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from kadr.blend.kernels import add_band_rows, mix_rows

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 9), st.sampled_from([1, 3, 4]))


@given(seed=st.integers(0, 10**6), size=SIZES, count=st.integers(1, 4))
@settings(max_examples=40)
def test_mixing_equals_its_plain_twin(seed: int, size: tuple[int, int, int], count: int) -> None:
    rng = np.random.default_rng(seed)
    height, width, channels = size
    images = rng.integers(0, 256, (count, *size), np.uint8)
    coarse = rng.uniform(0, 255, (count, *size)).astype(np.float32)
    weights = rng.dirichlet(np.ones(count), size[:2]).transpose(2, 0, 1).astype(np.float32)
    weights = np.ascontiguousarray(weights)
    mixed = np.full((height, width * channels), np.nan, np.float32)
    target_energy, mixed_energy = (np.full(size[:2], np.nan, np.float32) for _ in range(2))
    mix_rows(
        images.reshape(count, height, -1), coarse.reshape(count, height, -1), weights,
        tuple(range(channels)), mixed, target_energy, mixed_energy,
    )  # fmt: skip
    expected_mix, *energies = naive.mix(images - coarse, weights)
    for result, expected in zip(
        (mixed.reshape(size), target_energy, mixed_energy), (expected_mix, *energies), strict=True
    ):
        assert np.allclose(result, expected, rtol=1e-4, atol=1e-2)
    assert (
        mixed_energy <= target_energy * (1 + 1e-4) + 1e-2
    ).all()  # a mean has at most the energy of its parts


@given(seed=st.integers(0, 10**6), size=SIZES, max_gain=st.floats(1, 2))
@settings(max_examples=40)
def test_raising_equals_its_plain_twin(
    seed: int, size: tuple[int, int, int], max_gain: float
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, size).astype(np.float32)
    mixed = rng.normal(0, 20, size).astype(np.float32)
    target_energy, mixed_energy = (rng.gamma(1, 200, size[:2]).astype(np.float32) for _ in range(2))
    expected = naive.raise_contrast(image, mixed, target_energy, mixed_energy, max_gain)
    raised = np.full_like(image, np.nan)
    add_band_rows(
        image, mixed, target_energy, mixed_energy, max_gain, tuple(range(size[2])), raised
    )
    assert np.allclose(raised, expected, rtol=1e-4, atol=1e-2)
    added = np.abs(raised.astype(np.float64) - image)
    assert (added >= np.abs(mixed) - 0.01).all()
    assert (added <= np.abs(mixed) * max_gain + 0.01).all()
