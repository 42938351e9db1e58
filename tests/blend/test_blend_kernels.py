"""The blend's kernels against their plain twins, and no trace of how rows were shared out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from kadr.blend.kernels import mix_rows, raise_rows

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 9), st.sampled_from([1, 3, 4]))


def _rows(height: int, cut: int) -> list[tuple[int, int]]:
    """Two bands that cover all rows; the second may be empty."""
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
    wanted, have = (np.full(size[:2], np.nan, np.float32) for _ in range(2))
    for start, stop in _rows(size[0], cut):
        mix_rows(bands, weights, mixed, wanted, have, start, stop)
    for found, expected in zip((mixed, wanted, have), naive.mix(bands, weights), strict=True):
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert (have <= wanted * (1 + 1e-4) + 1e-3).all()  # a mean has no more energy than its parts


@given(seed=st.integers(0, 10**6), size=SIZES, most=st.floats(1, 2), cut=st.integers(0, 12))
@settings(max_examples=40)
def test_raising_equals_its_plain_twin(
    seed: int, size: tuple[int, int, int], most: float, cut: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, size).astype(np.float32)
    mixed = rng.normal(0, 20, size).astype(np.float32)
    wanted, have = (rng.gamma(1, 200, size[:2]).astype(np.float32) for _ in range(2))
    expected = naive.raise_contrast(image, mixed, wanted, have, most)
    raised = image.copy()
    for start, stop in _rows(size[0], cut):
        raise_rows(raised, mixed, wanted, have, most, start, stop)
    assert np.allclose(raised, expected, rtol=1e-4, atol=1e-2)
    plain = np.abs(raised.astype(np.float64) - image)
    assert (plain >= np.abs(mixed) - 0.01).all()
    assert (plain <= np.abs(mixed) * most + 0.01).all()
