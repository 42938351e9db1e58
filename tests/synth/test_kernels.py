"""Each kernel against its plain twin, for several channel counts, patch sizes and row bands."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from synth_samples import identity, noise, waves

import naive
from kadr.synth.atlas import Atlas, build_atlas
from kadr.synth.kernels.error import error_rows
from kadr.synth.kernels.pack import modulation_rows, pad_edges
from kadr.synth.kernels.patch import patch_ssd, vector_chunks
from kadr.synth.kernels.search import search_rows
from kadr.synth.kernels.usage import NEVER, count_matches, move_matches, penalty_rows
from kadr.synth.kernels.vote import vote_rows, weight_rows
from kadr.synth.nnf import flatten, upsample
from kadr.synth.packing import Packing, make_packing, pack_images, packed_shape

SHAPES = [(4, 3), (8, 3), (12, 5), (16, 5), (20, 7)]
"""(packed channels, patch size), one of each kind of vector cover."""


def empty_packed(height: int, width: int, packing: Packing) -> np.ndarray:
    """A packed image of zeros for an (height, width) image, padding included."""
    return np.zeros(packed_shape(height, width, packing), np.int16)


def _random_nnf(height: int, width: int, size: tuple[int, int], seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    u, v = rng.integers(0, size[1], (height, width)), rng.integers(0, size[0], (height, width))
    return np.stack([u, v], axis=-1).astype(np.int32)


def _atlas(style: np.ndarray, guide: np.ndarray, packing: Packing) -> Atlas:
    return build_atlas([[style, guide]], [None], packing, 1)


@given(length=st.integers(1, 400))
def test_vectors_cover_every_value_once(length: int) -> None:
    width, chunks = vector_chunks(length)
    values = [value for first, skip in chunks for value in range(first + skip, first + width)]
    assert values == list(range(length))
    assert all(first >= 0 and first + width <= length for first, _ in chunks)


@pytest.mark.parametrize(("channels", "patch_size"), SHAPES)
@pytest.mark.parametrize("modulated", [False, True])
def test_ssd_equals_plain_sum(channels: int, patch_size: int, modulated: bool) -> None:
    rng = np.random.default_rng(channels)
    side = patch_size + 2
    images = rng.integers(-200, 200, (2, side, side, channels), np.int16)
    factors = rng.integers(-32768, 1, (side, side, channels)).astype(np.int16)
    difference = images[0].astype(np.int64) - np.roll(images[1], -1, 1)
    if modulated:
        difference += (2 * difference * factors) >> 16
    expected = (difference[:patch_size, :patch_size] ** 2).sum()
    ssd = np.zeros(1, np.int32)
    error_rows(
        images[0].reshape(-1), images[1].reshape(-1), factors.reshape(-1) if modulated else None,
        np.ones(1, np.bool_), np.ones(1, np.int32), ssd, 1, side, side, 0, 1,
        (None,) * channels, (None,) * patch_size,
    )  # fmt: skip
    assert ssd[0] == expected


@pytest.mark.parametrize("channels", [12, 16])
def test_ssd_compiles_to_multiply_adds(channels: int) -> None:
    """No widened multiplications remain: they would be three times slower."""

    @njit
    def ssd(a, b, channels, patch):  # type: ignore[no-untyped-def]
        return patch_ssd(a, 0, 320, b, 0, 320, None, 1 << 30, channels, patch)

    values = np.zeros(320 * 5, np.int16)
    assert ssd(values, values, (None,) * channels, (None,) * 5) == 0
    code = next(iter(ssd.inspect_asm().values()))
    if not re.search(r"\b[xyz]mm0\b", code):
        pytest.skip("not an x86 processor; its multiply-adds have other names")
    assert re.search(r"\bv?pmaddwd|\bvpdpwssd", code)
    assert not re.search(r"\bv?pmulld", code)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("radius", [1, 2])
def test_packing_equals_twin(kind: type, radius: int) -> None:
    image = noise(7, 9, 3).astype(kind)
    if kind is np.float32:
        image = image * 1.5 - 60.25  # some below 0, some above 255
        image[2, 3, 1] = np.nan
    packing = make_packing(3, [3], [2.0], 2 * radius + 1)
    packed = empty_packed(7, 9, packing)
    pack_images(packed, [(0, image)], packing, threads=2)
    assert (packed[..., 3:6] == naive.pack(image, packing.scales[3], radius)).all()
    assert (packed[..., :3] == 0).all()


def test_packing_writes_only_needed_pixels() -> None:
    packing = make_packing(1, [1], [1.0], 3)
    packed = empty_packed(6, 6, packing)
    needed = np.random.default_rng(0).random((8, 8)) < 0.5
    pack_images(packed, [(0, np.full((6, 6, 1), 200, np.uint8))], packing, needed=needed)
    assert ((packed[..., 1] != 0) == needed).all()


@given(height=st.integers(1, 6), width=st.integers(1, 6), radius=st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_edges_are_repeated(height: int, width: int, radius: int) -> None:
    inner = noise(height, width, 3).astype(np.int16)
    packed = np.full((height + 2 * radius, width + 2 * radius, 4), 77, np.int16)
    packed[radius:-radius, radius:-radius, :3] = inner
    pad_edges(packed, 3, radius)
    assert (packed[..., :3] == naive.padded(inner, radius)).all()
    assert (packed[..., 3] == 77).all()


def test_modulation_is_a_root_less_one() -> None:
    factors = np.random.default_rng(1).integers(0, 256, (5, 6, 2)).astype(np.uint8)
    factors[0, 0], factors[0, 1] = 0, 255
    roots = np.rint((np.sqrt(np.arange(256) / 255) - 1) * 32768).astype(np.int16)
    packed = np.zeros((7, 8, 4), np.int16)
    modulation_rows(factors, None, roots, np.array([[1, 2], [2, 4]]), packed, 1, 0, 7)
    expected = (np.sqrt(naive.padded(factors, 1) / 255) - 1) * 32768
    assert np.abs(packed[..., 1:3] - expected).max() <= 0.51
    assert (packed[..., 3] == packed[..., 2]).all()
    assert (packed[..., 0] == 0).all()
    assert (packed[1, 1] == [0, -32768, -32768, -32768]).all()
    assert (packed[1, 2] == 0).all()


@pytest.mark.parametrize("weights", [[1.0], [100.0], [1000.0], [0.0]])
@pytest.mark.parametrize("patch_size", [3, 5])
def test_error_equals_formula(weights: list[float], patch_size: int) -> None:
    style, target = noise(12, 14, 3, 1), noise(9, 10, 3, 2)
    guides = noise(12, 14, 2, 3), noise(9, 10, 2, 4)
    packing = make_packing(3, [2], weights, patch_size)
    atlas = _atlas(style, guides[0], packing)
    packed = empty_packed(9, 10, packing)
    pack_images(packed, [(-1, target), (0, guides[1])], packing)
    nnf = _random_nnf(9, 10, (12, 14))
    ssd = np.zeros(90, np.int32)
    error_rows(
        packed.reshape(-1), atlas.features, None, np.ones(90, np.bool_),
        flatten(atlas, nnf, None), ssd, 10, packed.shape[1], atlas.stride, 0, 9,
        (None,) * packing.channels, (None,) * patch_size,
    )  # fmt: skip
    for y, x in [(0, 0), (4, 5), (8, 9), (0, 9)]:
        expected = naive.error(
            target, style, [(*guides, weights[0])], (x, y), tuple(nnf[y, x]), patch_size
        )
        assert ssd[y * 10 + x] / packing.unit**2 == pytest.approx(expected, rel=0.01)


@given(
    style_weight=st.floats(0, 1e4),
    weights=st.lists(st.floats(0, 1e4), min_size=1, max_size=4),
    channels=st.integers(1, 4),
    patch_size=st.sampled_from([3, 5, 7, 15]),
)
@settings(deadline=None)
def test_packing_never_overflows(
    style_weight: float, weights: list[float], channels: int, patch_size: int
) -> None:
    counts = [channels] * len(weights)
    packing = make_packing(3, counts, weights, patch_size, style_weight)
    max_values = [int(np.rint(255 * scale)) for scale in packing.scales]
    assert max(max_values) <= 16383
    assert patch_size**2 * sum(value**2 for value in max_values) < 1 << 30
    assert packing.channels % 4 == 0


@pytest.mark.parametrize(("colors", "patch_size"), [(1, 3), (3, 5), (4, 5), (5, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_vote_equals_twin(colors: int, patch_size: int, weighted: bool) -> None:
    height, width, size = 8, 9, (11, 12)
    style, guide = noise(*size, colors), noise(*size, 1)
    packing = make_packing(colors, [1], [1.0], patch_size)
    atlas = _atlas(style, guide, packing)
    nnf = _random_nnf(height, width, size)
    votes = np.random.default_rng(5).integers(1, 32768, height * width).astype(np.uint16)
    features = empty_packed(height, width, packing)
    image = np.zeros((height, width, colors), np.uint8)
    changed = np.zeros(height * width, np.bool_)
    covered = np.ones(height * width, np.bool_)
    covered[7] = False
    vote_rows(
        flatten(atlas, nnf, None), votes if weighted else None, atlas.style,
        np.array(packing.scales, np.float32), covered, features.reshape(-1), image.reshape(-1),
        changed, width, features.shape[1], atlas.stride, packing.channels, 0, height, 5.0,
        (None,) * patch_size, (None,) * colors,
    )  # fmt: skip
    weights = votes.reshape(height, width) if weighted else None
    expected = naive.vote(nnf, style, patch_size, weights)
    expected[0, 7] = 0
    assert np.abs(image - expected).max() <= 0.501
    radius = packing.radius
    packed = features[radius:-radius, radius:-radius, :colors]
    assert np.abs(packed - expected * packing.scales[0]).max() <= 0.51
    expected_changed = (np.rint(expected * packing.scales[0]) >= 5.0 * packing.scales[0]).any(
        axis=2
    )
    assert (changed.reshape(height, width) == expected_changed).all()


def test_the_largest_patch_of_white_does_not_overflow_the_vote() -> None:
    style, guide = np.full((40, 40, 3), 255, np.uint8), noise(40, 40, 1)
    packing = make_packing(3, [1], [1.0], 15)
    atlas = _atlas(style, guide, packing)
    features = empty_packed(20, 20, packing)
    for votes in (None, np.full(400, 32767, np.uint16)):
        image = np.zeros((20, 20, 3), np.uint8)
        vote_rows(
            flatten(atlas, identity(20, 20), None), votes, atlas.style,
            np.array(packing.scales, np.float32), np.ones(400, np.bool_), features.reshape(-1),
            image.reshape(-1), np.zeros(400, np.bool_), 20, features.shape[1], atlas.stride,
            packing.channels, 0, 20, 5.0, (None,) * 15, (None,) * 3,
        )  # fmt: skip
        assert (image == 255).all()


def test_weights_fall_with_cost_and_stay_positive() -> None:
    ssd = np.array([0, 100, 1000, 1 << 29], np.int32)
    weights = np.empty(4, np.uint16)
    weight_rows(ssd, 0.01, weights, 0, 4)
    assert weights.tolist() == [32767, 16384, 2979, 1]


@pytest.mark.parametrize("patch_size", [3, 5])
def test_penalty_equals_twin(patch_size: int) -> None:
    size = (10, 11)
    nnf = _random_nnf(14, 15, size)
    nnf[:6] = (4, 5)  # one position used very often
    packing = make_packing(1, [1], [1.0], patch_size)
    atlas = _atlas(noise(*size, 1), noise(*size, 1), packing)
    match_counts = np.zeros(atlas.valid.size, np.int32)
    count_matches(flatten(atlas, nnf, None), match_counts)
    assert match_counts.sum() == 14 * 15
    penalty = np.empty(match_counts.size, np.int32)
    penalty_rows(
        match_counts, atlas.valid, penalty, atlas.stride, patch_size, 1.0, 0, 0, atlas.rows
    )
    expected = naive.usage(nnf, size, patch_size) * patch_size**2
    grid = penalty.reshape(atlas.rows, atlas.stride)
    assert (grid[: size[0], : size[1]] == np.rint(expected)).all()
    assert (grid[size[0] :] == NEVER).all()
    assert (grid[:, size[1] :] == NEVER).all()


def test_penalties_move_a_part_of_the_way() -> None:
    match_counts, valid = np.zeros(25, np.int32), np.ones(25, np.bool_)
    penalty = np.full(25, 800, np.int32)
    penalty_rows(match_counts, valid, penalty, 5, 3, 1.0, 3, 0, 5)
    assert (penalty == 700).all()


def test_counts_follow_moves() -> None:
    rng = np.random.default_rng(2)
    previous, current = rng.integers(0, 30, (2, 50)).astype(np.int32)
    active = rng.random(50) < 0.6
    current[~active] = previous[~active]
    match_counts = np.bincount(previous, minlength=30).astype(np.int32)
    move_matches(previous, current, active, match_counts)
    assert (match_counts == np.bincount(current, minlength=30)).all()


@pytest.mark.parametrize("step", [1, -1])
def test_propagation_equals_twin(step: int) -> None:
    height, width, size, patch_size, band = 10, 9, (8, 7), 3, 4
    style, target = noise(*size, 3, 1), noise(height, width, 3, 2)
    guides = waves(*size, 1, 3), waves(height, width, 1, 4)
    packing = make_packing(3, [1], [1.0], patch_size)
    atlas = _atlas(style, guides[0], packing)
    packed = empty_packed(height, width, packing)
    pack_images(packed, [(-1, target), (0, guides[1])], packing)
    penalty = np.where(atlas.valid, np.random.default_rng(0).integers(0, 1 << 20), NEVER)
    penalty = penalty.astype(np.int32)
    nnf = _random_nnf(height, width, size)
    channels, patch = (None,) * packing.channels, (None,) * patch_size
    cost = np.zeros((height, width, *size), np.int64)
    active = np.ones(height * width, np.bool_)
    for v in range(size[0]):
        for u in range(size[1]):
            ssd = np.zeros(height * width, np.int32)
            same = flatten(atlas, np.broadcast_to([u, v], (height, width, 2)), None)
            error_rows(
                packed.reshape(-1), atlas.features, None, active, same, ssd, width,
                packed.shape[1], atlas.stride, 0, height, channels, patch,
            )  # fmt: skip
            cost[:, :, v, u] = ssd.reshape(height, width) + penalty[v * atlas.stride + u]
    flat = flatten(atlas, nnf, None)
    previous, ssd = flat.copy(), np.zeros(flat.size, np.int32)
    for start in range(0, height, band):
        search_rows(
            packed.reshape(-1), atlas.features, None, penalty, active, previous, flat, ssd,
            (width, packed.shape[1], atlas.stride), start, min(start + band, height), step,
            (0, 0, 0, 0, NEVER), True, 1, channels, patch,
        )  # fmt: skip
    expected = naive.propagate_match(cost, nnf, step, size, band)
    assert (flat == flatten(atlas, expected, None)).all()
    rows = expected[..., 1], expected[..., 0]
    y, x = np.mgrid[:height, :width]
    expected_ssd = cost[y, x, rows[0], rows[1]] - penalty[flat].reshape(height, width)
    assert (ssd.reshape(height, width) == expected_ssd).all()


def test_random_search_finds_the_only_equal_patch() -> None:
    image = noise(24, 24, 3)
    packing = make_packing(3, [3], [1.0], 5)
    atlas = _atlas(image, image, packing)
    packed = empty_packed(24, 24, packing)
    pack_images(packed, [(-1, image), (0, image)], packing)
    flat = flatten(atlas, _random_nnf(24, 24, (24, 24)), None)
    ssd, active = np.zeros(flat.size, np.int32), np.ones(flat.size, np.bool_)
    penalty = np.where(atlas.valid, 0, NEVER).astype(np.int32)
    for number in range(12):
        search_rows(
            packed.reshape(-1), atlas.features, None, penalty, active, flat.copy(), flat,
            ssd, (24, packed.shape[1], atlas.stride), 0, 24, 1 - 2 * (number % 2),
            (12, 0, 0, 12, NEVER), number == 0, number, (None,) * packing.channels, (None,) * 5,
        )  # fmt: skip
    assert (flat == flatten(atlas, identity(24, 24), None)).all()
    assert (ssd == 0).all()


@pytest.mark.parametrize(("high_cost", "reachable"), [(0, True), (NEVER, False)])
def test_only_a_pixel_of_high_cost_searches_far(high_cost: int, reachable: bool) -> None:
    image = noise(40, 40, 3)
    packing = make_packing(3, [3], [1.0], 5)
    atlas = _atlas(image, image, packing)
    packed = empty_packed(40, 40, packing)
    pack_images(packed, [(-1, image), (0, image)], packing)
    reversed_rows = identity(40, 40)[::-1]  # every match up to 39 pixels off
    flat = flatten(atlas, reversed_rows, None)
    ssd, active = np.zeros(flat.size, np.int32), np.ones(flat.size, np.bool_)
    penalty = np.where(atlas.valid, 0, NEVER).astype(np.int32)
    for number in range(30):
        search_rows(
            packed.reshape(-1), atlas.features, None, penalty, active, flat.copy(), flat,
            ssd, (40, packed.shape[1], atlas.stride), 0, 40, 1 - 2 * (number % 2),
            (0, 0, 0, 40, high_cost), number == 0, number, (None,) * packing.channels, (None,) * 5,
        )  # fmt: skip
    # without a radius only the middle row, correct from the start, can be propagated
    assert ((ssd == 0).mean() > 0.99) == reachable


def test_positions_are_rounded_clamped_and_always_valid() -> None:
    packing = make_packing(1, [1], [1.0], 3)
    mask = np.ones((6, 8), np.bool_)
    mask[0, 0] = False
    atlas = build_atlas([[noise(6, 8, 1), noise(6, 8, 1)]], [mask], packing, 1)
    points = np.array([[[2.4, 3.6], [-9, 2], [1e30, 99], [np.nan, 1], [0, 0]]], np.float32)
    flat = flatten(atlas, points, None)
    expected = [4 * atlas.stride + 2, 2 * atlas.stride, 5 * atlas.stride + 7]
    assert flat[:3].tolist() == expected
    assert atlas.valid[flat].all()


def test_upsampling_doubles_and_keeps_parity() -> None:
    packing = make_packing(1, [1], [1.0], 3)
    coarse = _atlas(noise(5, 5, 1), noise(5, 5, 1), packing)
    fine = _atlas(noise(10, 11, 1), noise(10, 11, 1), packing)
    flat = upsample(coarse, flatten(coarse, identity(5, 5), None), (5, 5), fine, (10, 11))
    expected = identity(10, 11)
    expected[:, 10, 0] = 8  # the odd column out continues the last pair
    assert (flat == flatten(fine, expected, None)).all()
