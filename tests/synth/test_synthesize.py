"""Synthesis through its public functions: known answers, properties, deterministic results."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synth_samples import identity, noise, quick, waves

import naive
from kadr.options import SynthOptions
from kadr.synth import Guide, StyleSource, Synthesis, prepare, synthesize

Sides = st.integers(1, 20)


def _same(a: Synthesis, b: Synthesis) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("image", "nnf", "source", "error")
    )


def _case(seed: int = 0) -> tuple[np.ndarray, list[Guide]]:
    """A 40×44 style and a 36×48 target with two guides, of three channels and of one."""
    style = noise(40, 44, 3, seed)
    guides = [
        Guide(waves(40, 44, 3, seed + 1), waves(36, 48, 3, seed + 2), 4.0),
        Guide(noise(40, 44, 1, seed + 3), noise(36, 48, 1, seed + 4), 1.0),
    ]
    return style, guides


@pytest.mark.parametrize("size", [(40, 40), (33, 57)])
@pytest.mark.parametrize("patch_size", [3, 5])
def test_same_guide_reproduces_the_style(size: tuple[int, int], patch_size: int) -> None:
    style, guide = noise(*size, 3, 1), noise(*size, 3, 2)
    options = SynthOptions(patch_size=patch_size, uniformity=0.0)
    result = synthesize(style, [Guide(guide, guide, 4.0)], options=options)
    is_identity = (result.nnf == identity(*size)).all(axis=2)
    assert is_identity.mean() > 0.98
    assert (result.image == style).all(axis=2).mean() > 0.9


def test_shifted_guide_shifts_the_style() -> None:
    style, guide = noise(40, 50, 3, 1), noise(40, 50, 3, 2)
    result = synthesize(
        style,
        [Guide(guide, np.ascontiguousarray(guide[8:32, 5:37]), 6.0)],
        options=SynthOptions(uniformity=0.0),
    )
    inner = np.s_[3:-3, 3:-3]
    assert ((result.nnf - identity(24, 32))[inner] == (5, 8)).all(axis=2).mean() > 0.95
    assert (result.image == style[8:32, 5:37])[inner].mean() > 0.9


@pytest.mark.parametrize("weights", [(4.0, 1.0), (100.0, 1000.0), (0.0, 2.0)])
@pytest.mark.parametrize("modulated", [False, True])
def test_error_is_the_formula(weights: tuple[float, float], modulated: bool) -> None:
    style, plain = _case()
    guides = [Guide(g.source, g.target, w) for g, w in zip(plain, weights, strict=True)]
    factors = None
    if modulated:
        factors = np.random.default_rng(0).random((36, 48, 2)).astype(np.float32)
    result = synthesize(style, guides, options=quick(), modulation=factors)
    triples = [(guide.source, guide.target, guide.weight) for guide in guides]
    for y, x in [(0, 0), (35, 47), (10, 20), (17, 3), (30, 40)]:
        expected = naive.error(
            result.image, style, triples, (x, y), tuple(result.nnf[y, x]), 5, modulation=factors
        )
        # the image is rounded to integer levels, the engine's internal copy is not
        assert result.error[y, x] == pytest.approx(expected, rel=0.02, abs=60)


@given(
    target=st.tuples(Sides, Sides),
    source=st.tuples(Sides, Sides),
    seed=st.integers(0, 1000),
    started=st.booleans(),
    masked=st.booleans(),
    patch_size=st.sampled_from([3, 5]),
)
@settings(deadline=None, max_examples=60)
def test_every_size_stays_inside_source_and_mask(
    target: tuple[int, int],
    source: tuple[int, int],
    seed: int,
    started: bool,
    masked: bool,
    patch_size: int,
) -> None:
    rng = np.random.default_rng(seed)
    source_mask = rng.random(source) < 0.5
    source_mask[rng.integers(source[0]), rng.integers(source[1])] = True
    mask = rng.random(target) < 0.5 if masked else None
    start = rng.normal(0, 40, (*target, 2)) if started else None
    result = synthesize(
        noise(*source, 3, seed),
        [Guide(noise(*source, 1, seed), noise(*target, 1, seed + 1), 1.0)],
        options=quick(patch_size=patch_size, seed=seed),
        start_nnf=start,
        source_mask=source_mask,
        target_mask=mask,
    )
    inside = np.ones(target, np.bool_) if mask is None else mask
    x, y = result.nnf[inside].T
    assert source_mask[y, x].all()
    assert (result.nnf[~inside] == -1).all()
    assert (result.image[~inside] == 0).all()
    assert (result.error[~inside] == 0).all()
    assert (result.source == 0).all()


@pytest.mark.parametrize(
    "options",
    [
        quick(),
        quick(weighted_vote=True, extra_pass_3x3=True),
        quick(uniformity=0.0, search_threshold=50.0, stop_threshold=0.0),
    ],
)
def test_any_thread_count_gives_the_same_bytes(options: SynthOptions) -> None:
    style = noise(90, 70, 3)
    guides = [Guide(waves(90, 70, 2), waves(130, 75, 2, 5), 2.0)]
    mask = np.random.default_rng(0).random((130, 75)) < 0.8
    first, *others = (
        synthesize(style, guides, options=options, target_mask=mask, threads=threads)
        for threads in (1, 2, 7)
    )
    assert all(_same(first, other) for other in others)


def test_parallel_frames_equal_sequential_ones() -> None:
    style, guides = _case()
    prepared = prepare(
        [StyleSource(style, [g.source for g in guides])], [4.0, 1.0], options=quick()
    )
    targets = [g.target for g in guides]
    sequential = [prepared.synthesize(targets, seed=seed) for seed in range(4)]
    fresh = prepare([StyleSource(style, [g.source for g in guides])], [4.0, 1.0], options=quick())
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda seed: fresh.synthesize(targets, seed=seed), range(4)))
    assert all(_same(a, b) for a, b in zip(sequential, parallel, strict=True))
    assert not _same(sequential[0], sequential[1])


def test_inputs_may_be_read_only_and_are_not_changed() -> None:
    style, guides = _case()
    start = identity(36, 48).astype(np.float64)
    factors = np.full((36, 48, 2), 128, np.uint8)
    masks = np.ones((36, 48), np.bool_), np.ones((40, 44), np.bool_)
    arrays = [style, start, factors, *masks]
    arrays += [image for guide in guides for image in (guide.source, guide.target)]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    synthesize(
        style, guides, options=quick(extra_pass_3x3=True), start_nnf=start, modulation=factors,
        target_mask=masks[0], source_mask=masks[1],
    )  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(arrays, copies, strict=True))


def test_layout_of_inputs_does_not_matter() -> None:
    style, guides = _case()
    flipped = [
        Guide(np.asfortranarray(g.source), g.target[:, ::-1][:, ::-1], g.weight) for g in guides
    ]
    plain = synthesize(style, guides, options=quick())
    assert _same(plain, synthesize(np.asfortranarray(style), flipped, options=quick()))


def test_each_half_comes_from_its_source() -> None:
    styles = [np.full((30, 30, 3), 40, np.uint8), np.full((26, 34, 3), 200, np.uint8)]
    guides = [noise(30, 30, 3, 1), noise(26, 34, 3, 2)]
    sources = [StyleSource(style, [guide]) for style, guide in zip(styles, guides, strict=True)]
    target = np.concatenate([guides[0][2:26, :20], guides[1][:24, 10:30]], axis=1)
    result = prepare(sources, [8.0], options=SynthOptions(uniformity=0.0)).synthesize([target])
    left, right = result.source[:, :16], result.source[:, 24:]
    assert (left == 0).mean() > 0.97
    assert (right == 1).mean() > 0.97
    assert (result.nnf[:, 3:16] == identity(24, 20)[:, 3:16] + (0, 2)).all(axis=2).mean() > 0.9
    expected = identity(24, 40)[:, 24:37] + (10 - 20, 0)
    assert (result.nnf[:, 24:37] == expected).all(axis=2).mean() > 0.9
    assert (result.image[:, :16] == 40).mean() > 0.95
    assert (result.image[:, 24:] == 200).mean() > 0.95


def test_start_source_is_used() -> None:
    flat = np.full((20, 20, 1), 9, np.uint8)
    styles = [noise(20, 20, 3, 1), noise(20, 20, 3, 2)]
    prepared = prepare(
        [StyleSource(style, [flat]) for style in styles],
        [1.0],
        options=quick(vote_iterations=1, search_iterations=1, uniformity=0.0, search_radius=1),
    )
    second = np.ones((20, 20), np.uint8)
    result = prepared.synthesize([flat], start_nnf=identity(20, 20), start_source=second)
    assert (result.source == 1).all()
    assert (result.nnf == identity(20, 20)).all()
    assert (result.image == styles[1]).all()
    assert (result.error == 0).all()


def test_unknown_starts_are_filled_in() -> None:
    style, guides = _case()
    start = np.full((36, 48, 2), np.nan)
    result = synthesize(style, guides, options=quick(), start_nnf=start)
    assert result.nnf.min() >= 0
    assert (result.nnf < (44, 40)).all()


def test_mask_limits_the_pixels_that_are_synthesized() -> None:
    style, guides = _case()
    mask = np.zeros((36, 48), np.bool_)
    mask[10:20, 15:30] = True
    start = identity(36, 48)
    full = synthesize(style, guides, options=quick(), start_nnf=start)
    masked = synthesize(style, guides, options=quick(), start_nnf=start, target_mask=mask)
    assert (masked.nnf[~mask] == -1).all()
    assert (masked.image[~mask] == 0).all()
    assert masked.image[mask].std() > 0
    assert full.image.shape == masked.image.shape
    empty = synthesize(style, guides, options=quick(), target_mask=np.zeros_like(mask))
    assert (empty.image == 0).all()


def test_full_mask_is_no_mask() -> None:
    style, guides = _case()
    full = np.ones((36, 48), np.bool_)
    assert _same(
        synthesize(style, guides, options=quick()),
        synthesize(style, guides, options=quick(), target_mask=full, modulation=None),
    )


def test_full_modulation_equals_no_modulation() -> None:
    style, guides = _case()
    plain = synthesize(style, guides, options=quick())
    for full in (np.ones((36, 48, 2)), np.full((36, 48, 2), 255, np.uint8)):
        assert _same(plain, synthesize(style, guides, options=quick(), modulation=full))


def test_no_modulation_at_a_pixel_turns_a_guide_off() -> None:
    style, guides = _case()
    modulation = np.ones((36, 48, 2), np.float32)
    modulation[..., 1] = 0
    changed = [guides[0], Guide(guides[1].source, noise(36, 48, 1, 99), guides[1].weight)]
    first = synthesize(style, guides, options=quick(), modulation=modulation)
    assert _same(first, synthesize(style, changed, options=quick(), modulation=modulation))
    assert not _same(
        synthesize(style, guides, options=quick()), synthesize(style, changed, options=quick())
    )


def test_uniformity_spreads_the_matches() -> None:
    style = noise(40, 40, 3)
    guide = Guide(np.zeros((40, 40, 1), np.uint8), np.zeros((40, 40, 1), np.uint8), 1.0)
    max_usages = [
        naive.usage(
            synthesize(style, [guide], options=SynthOptions(uniformity=amount)).nnf, (40, 40), 5
        ).max()
        for amount in (0.0, 3500.0, 15000.0)
    ]
    assert max_usages[0] > 2 * max_usages[1]
    assert max_usages[1] > max_usages[2]


def test_more_search_never_costs_more() -> None:
    """Without uniformity every pass only improves the mean; single pixels may get worse."""
    style, guides = _case()
    means = [
        synthesize(
            style,
            guides,
            options=quick(vote_iterations=1, search_iterations=count, levels=1, uniformity=0.0),
        ).error.mean()
        for count in (1, 3, 9)
    ]
    assert means[0] > means[1] > means[2]


def test_unchanged_pixels_end_the_rounds_early() -> None:
    style, guides = _case()
    short = quick(vote_iterations=1, stop_threshold=255.0)
    long = quick(vote_iterations=9, stop_threshold=255.0)
    assert _same(
        synthesize(style, guides, options=short, start_nnf=identity(36, 48)),
        synthesize(style, guides, options=long, start_nnf=identity(36, 48)),
    )


def test_extra_pass_uses_small_patches() -> None:
    style, guides = _case()
    result = synthesize(style, guides, options=quick(extra_pass_3x3=True))
    triples = [(guide.source, guide.target, guide.weight) for guide in guides]
    expected = naive.error(result.image, style, triples, (20, 10), tuple(result.nnf[10, 20]), 3)
    assert result.error[10, 20] == pytest.approx(expected, rel=0.02, abs=40)
    assert not _same(result, synthesize(style, guides, options=quick()))


def test_weighted_vote_prefers_the_better_matches() -> None:
    style, guides = _case()
    plain = synthesize(style, guides, options=quick())
    weighted = synthesize(style, guides, options=quick(weighted_vote=True))
    assert not _same(plain, weighted)
    means = []
    for result in (plain, weighted):
        matched = naive.padded(style, 0)[result.nnf[..., 1], result.nnf[..., 0]]
        means.append(np.abs(result.image.astype(float) - matched).mean())
    assert means[1] < means[0]


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 8])
def test_styles_of_any_channel_count(channels: int) -> None:
    style, guide = noise(24, 24, channels, 1), noise(24, 24, 2, 2)
    result = synthesize(
        style, [Guide(guide, guide, 4.0)], options=quick(), start_nnf=identity(24, 24)
    )
    assert result.image.shape == (24, 24, channels)
    assert (result.image == style).mean() > 0.95


def test_gray_images_need_no_channel_axis() -> None:
    style, guide = noise(20, 20, 1), noise(20, 20, 1, 3)
    flat = synthesize(style[..., 0], [Guide(guide[..., 0], guide[..., 0], 1.0)], options=quick())
    assert _same(flat, synthesize(style, [Guide(guide, guide, 1.0)], options=quick()))
    assert flat.image.shape == (20, 20, 1)


def test_float_guides_resolve_less_than_a_level() -> None:
    """A slope of a tenth of a level for each pixel, which 8 bits cannot resolve."""
    style = noise(20, 60, 3)
    slope = np.broadcast_to(np.arange(60) * 0.1, (20, 60)).astype(np.float32)
    result = synthesize(
        style,
        [Guide(slope, np.ascontiguousarray(slope[:, ::-1]), 2000.0)],
        options=SynthOptions(uniformity=0.0),
        style_weight=0.001,
    )
    expected = 59 - np.arange(60)
    assert np.abs(result.nnf[:, 3:-3, 0] - expected[3:-3]).mean() < 1.0


def test_stages_are_timed() -> None:
    style, guides = _case()
    prepared = prepare(
        [StyleSource(style, [g.source for g in guides])], [4.0, 1.0], options=quick()
    )
    prepared.synthesize([g.target for g in guides])
    stages = {"sources", "start", "pack", "vote", "search", "penalty", "measure", "result"}
    assert set(prepared.seconds) == stages
    assert all(spent > 0 for spent in prepared.seconds.values())
