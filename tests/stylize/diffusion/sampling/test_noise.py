"""Noise against published numbers, and as a distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.noise import (
    NOISE_SOURCES,
    batch_seeds,
    create_noise,
    philox4x32,
    philox_normal,
)

SHAPE = (4, 8, 8)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (
            "00000000 00000000 00000000 00000000",
            "00000000 00000000",
            "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
        ),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_gives_the_known_answers_of_random123(counter: str, key: str, words: str) -> None:
    column = np.array([int(word, 16) for word in counter.split()], np.uint64)[:, None]
    low, high = (int(word, 16) for word in key.split())
    found = philox4x32(np.repeat(column, 2, axis=1), high << 32 | low)
    assert [f"{word:08x}" for word in found[:, 0]] == words.split()
    assert (found[:, 0] == found[:, 1]).all()


def test_seed_0_gives_the_numbers_of_a_card() -> None:
    # torch.randn(3, 4, device="cuda") after torch.manual_seed(0)
    wanted = [-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564]
    wanted += [-0.62285122, -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497]
    np.testing.assert_allclose(philox_normal(0, 0, 12), wanted, rtol=0, atol=2e-7)


def test_philox_noise_is_normal_and_independent() -> None:
    draws = np.stack([philox_normal(seed, call, 1 << 16) for seed in (1, 2) for call in (0, 1)])
    assert stats.kstest(draws.reshape(-1), "norm").pvalue > 1e-3
    assert abs(draws.mean()) < 0.01
    assert draws.std() == pytest.approx(1, abs=0.01)
    assert stats.kurtosis(draws.reshape(-1)) == pytest.approx(0, abs=0.05)
    assert np.abs(np.corrcoef(draws) - np.eye(4)).max() < 0.02
    neighbours = np.corrcoef(draws[0, :-1], draws[0, 1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_cpu_noise_is_torchs_own() -> None:
    noise = create_noise("cpu", [5, 6], SHAPE)
    for seed, drawn in zip((5, 6), zip(noise.draw(), noise.draw())):
        generator = torch.Generator().manual_seed(seed)
        assert torch.equal(drawn[0], torch.randn(SHAPE, generator=generator))
        assert torch.equal(drawn[1], torch.randn(SHAPE, generator=generator))


@pytest.mark.parametrize("source", NOISE_SOURCES)
def test_no_image_depends_on_its_batch(source: str) -> None:
    seeds = batch_seeds(2**40 + 7, 3)
    assert seeds == (2**40 + 7, 2**40 + 8, 2**40 + 9)
    batch = create_noise(source, seeds, SHAPE)
    alone = [create_noise(source, [seed], SHAPE) for seed in seeds]
    for _ in range(3):
        drawn = batch.draw()
        assert drawn.shape == (3, *SHAPE)
        assert drawn.dtype == torch.float32
        assert torch.equal(drawn, torch.cat([one.draw() for one in alone]))
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("source", NOISE_SOURCES)
def test_one_seed_for_all_gives_all_the_same(source: str) -> None:
    drawn = create_noise(source, batch_seeds(3, 2, same=True), SHAPE).draw()
    assert torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("source", NOISE_SOURCES)
def test_later_draws_may_have_another_seed(source: str) -> None:
    plain, other = create_noise(source, [9], SHAPE), create_noise(source, [40], SHAPE)
    noise = create_noise(source, [9], SHAPE, reseed=31)
    assert torch.equal(noise.draw(), plain.draw())
    assert torch.equal(noise.draw(), other.draw())
    assert torch.equal(noise.draw(), other.draw())


@pytest.mark.parametrize("source", NOISE_SOURCES)
def test_a_first_noise_takes_the_place_of_the_first(source: str) -> None:
    plain, given = create_noise(source, [1, 2], SHAPE), torch.full((1, *SHAPE), 0.5)
    noise = create_noise(source, [1, 2], SHAPE, first=given)
    plain.draw()
    assert noise.draw().unique().tolist() == [0.5]
    assert torch.equal(noise.draw(), plain.draw())


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(OptionsError, match="noise source 'gpu': expected one of cpu, nv"):
        create_noise("gpu", [1], SHAPE)
