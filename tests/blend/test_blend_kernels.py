"""The kernels of the blend against their plain twins, in bands of rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from kadr.blend.kernels import add_band_rows, mix_rows

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 9), st.sampled_from([1, 3, 4]))


def _rows(height: int, cut: int) -> list[tuple[int, int]]:
    """Two bands of rows that cover all rows; the second may be empty."""
    cut = min(cut, height)
    return [(cut, height), (0, cut)]


@given(seed=st.integers(0, 10**6), size=SIZES, count=st.integers(1, 4), cut=st.integers(0, 12))
@settings(max_examples=40)
def test_mixing_equals_its_plain_twin(
    seed: int, size: tuple[int, int, int], count: int, cut: int
) -> None:
    rng = np.random.default_rng(seed)
    bands = rng.normal(0, 40, (count, *size)).astype(np.float32)
    weights = rng.dirichlet(np.ones(count), size[:2]).transpose(2, 0, 1).astype(np.float32)
    weights = np.ascontiguousarray(weights)
    mixed = np.full(size, np.nan, np.float32)
    target_energy, mixed_energy = (np.full(size[:2], np.nan, np.float32) for _ in range(2))
    for start, stop in _rows(size[0], cut):
        mix_rows(bands, weights, mixed, target_energy, mixed_energy, start, stop)
    for result, expected in zip(
        (mixed, target_energy, mixed_energy), naive.mix(bands, weights), strict=True
    ):
        assert np.allclose(result, expected, rtol=1e-4, atol=1e-3)
    assert (
        mixed_energy <= target_energy * (1 + 1e-4) + 1e-3
    ).all()  # a mean has at most the energy of its parts


@given(seed=st.integers(0, 10**6), size=SIZES, max_gain=st.floats(1, 2), cut=st.integers(0, 12))
@settings(max_examples=40)
def test_raising_equals_its_plain_twin(
    seed: int, size: tuple[int, int, int], max_gain: float, cut: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, size).astype(np.float32)
    mixed = rng.normal(0, 20, size).astype(np.float32)
    target_energy, mixed_energy = (rng.gamma(1, 200, size[:2]).astype(np.float32) for _ in range(2))
    expected = naive.raise_contrast(image, mixed, target_energy, mixed_energy, max_gain)
    raised = image.copy()
    for start, stop in _rows(size[0], cut):
        add_band_rows(raised, mixed, target_energy, mixed_energy, max_gain, start, stop)
    assert np.allclose(raised, expected, rtol=1e-4, atol=1e-2)
    added = np.abs(raised.astype(np.float64) - image)
    assert (added >= np.abs(mixed) - 0.01).all()
    assert (added <= np.abs(mixed) * max_gain + 0.01).all()
