"""Pyramid levels: sizes halve, every level is large enough, averages are kept."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kadr.synth.pyramid import count_levels, level_sizes, shrink

_SIDES = st.integers(1, 3000)
_SIZES = st.tuples(_SIDES, _SIDES)


@given(size=_SIZES, count=st.integers(1, 12))
def test_each_level_is_half_of_the_next(size: tuple[int, int], count: int) -> None:
    sizes = level_sizes(size, count)
    assert len(sizes) == count
    assert sizes[-1] == size
    for coarse, fine in itertools.pairwise(sizes):
        assert coarse == tuple(max(1, side // 2) for side in fine)


@given(
    sizes=st.lists(_SIZES, min_size=1, max_size=4),
    patch_size=st.sampled_from([3, 5, 7, 15]),
    requested=st.none() | st.integers(1, 12),
)
def test_every_level_is_larger_than_two_patches(
    sizes: list[tuple[int, int]], patch_size: int, requested: int | None
) -> None:
    count = count_levels(sizes, patch_size, requested)
    most = count_levels(sizes, patch_size, None)
    assert count == (most if requested is None else min(most, requested))
    short_sides = [min(min(level_sizes(size, most)[0]) for size in sizes)]
    short_sides += [min(min(level_sizes(size, most + 1)[0]) for size in sizes)]
    assert most == 1 or short_sides[0] >= 2 * patch_size + 1
    assert short_sides[1] < 2 * patch_size + 1


@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    channels=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_shrinking_by_two_averages_four_pixels(
    size: tuple[int, int], channels: int, seed: int
) -> None:
    height, width = size
    image = np.random.default_rng(seed).random((2 * height, 2 * width, channels), np.float32)
    expected = image.reshape(height, 2, width, 2, channels).mean(axis=(1, 3))
    scaled = shrink(image, size)
    assert scaled.shape == (height, width, channels)
    assert np.allclose(scaled, expected, atol=1e-5)
    assert shrink(image, (2 * height, 2 * width)) is image


def test_a_mask_stays_boolean() -> None:
    mask = np.zeros((8, 8), np.bool_)
    mask[:4] = True
    assert shrink(mask, (4, 4)).dtype == np.bool_
    assert np.array_equal(shrink(mask, (4, 4)), mask[::2, ::2])
