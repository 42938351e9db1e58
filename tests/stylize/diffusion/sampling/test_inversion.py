"""Found noise against A1111's formulas, and by what sampling makes of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from analytic_models import MEAN, SCHEDULE, SPREAD, Pictures, gaussian_eps, prompt, relative_error
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.inversion import Inversion, extract_noise, invert, mix_noise

Eps = Callable[[Tensor, float], Tensor]


def _latent(count: int = 2, size: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return MEAN + SPREAD * torch.randn(count, 4, size, size, generator=generator)


def _up(eps: Eps, latent: Tensor, steps: int, kind: str, refinements: int = 8) -> Tensor:
    rising = SCHEDULE.get_sigmas(steps).flip(0)
    return list(invert(eps, latent, rising, kind, refinements=refinements))[-1][1]


def _down(eps: Eps, x: Tensor, steps: int) -> Tensor:
    levels = SCHEDULE.get_sigmas(steps).tolist()
    for sigma, following in pairwise(levels):
        x = x + eps(x, sigma) * (following - sigma)
    return x


def _a1111(eps: Eps, latent: Tensor, steps: int, *, adjusted: bool) -> Tensor:
    """The script as it is written, in denoised latents."""
    sigmas = SCHEDULE.get_sigmas(steps).flip(0).tolist()
    x = latent
    for i in range(1, len(sigmas)):
        at = sigmas[i - 1] if adjusted else sigmas[i]
        asked = sigmas[i] if adjusted and i == 1 else at
        denoised = x - eps(x, asked) * at
        slope = (x - denoised) / (2 * sigmas[i] if adjusted and i == 1 else at)
        x = x + slope * (sigmas[i] - sigmas[i - 1])
    return x / sigmas[-1] if adjusted else x / x.std()


@pytest.mark.parametrize("steps", [10, 50])
@pytest.mark.parametrize("kind", ["plain", "adjusted"])
def test_noise_is_that_of_the_formulas(kind: str, steps: int) -> None:
    latent = _latent(count=1)
    x = _up(gaussian_eps, latent, steps, kind)
    found = extract_noise(x, latent, kind, SCHEDULE.sigma_max)
    wanted = _a1111(gaussian_eps, latent, steps, adjusted=kind == "adjusted")
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "refinements", "limit"),
    [("plain", 0, 0.06), ("adjusted", 0, 0.09), ("refined", 2, 1e-4), ("refined", 5, 1e-4)],
)
def test_sampling_leads_back_to_the_latent(kind: str, refinements: int, limit: float) -> None:
    latent = _latent(size=64)  # "plain" goes by the deviation of these very values: have many
    x = _up(gaussian_eps, latent, 50, kind, refinements)
    noise = extract_noise(x, latent, kind, SCHEDULE.sigma_max)
    start = SCHEDULE.sigma_max * noise + (latent if kind == "refined" else 0)
    assert relative_error(_down(gaussian_eps, start, 50), latent) < limit


@pytest.mark.parametrize("steps", [20, 50])
def test_refining_leads_back_on_curved_paths_too(steps: int) -> None:
    pictures = Pictures()

    def eps(x: Tensor, sigma: float) -> Tensor:
        return pictures(x, sigma, prompt(0).expand(len(x)))

    latent = pictures.latents(3)
    errors = [
        relative_error(_down(eps, _up(eps, latent, steps, "refined", k), steps), latent)
        for k in (0, 1, 2, 5)
    ]
    plain = relative_error(_down(eps, _up(eps, latent, steps, "plain"), steps), latent)
    assert errors[0] < plain / 3
    assert errors[1] < errors[0] / 3
    assert errors[2] < plain / 40
    assert errors[3] < 1e-3


def test_without_noise_the_adjusted_kind_takes_no_step() -> None:
    latent, seen = _latent(), []

    def eps(x: Tensor, sigma: float) -> Tensor:
        seen.append(sigma)
        return gaussian_eps(x, sigma)

    rising = SCHEDULE.get_sigmas(5).flip(0)
    steps = list(invert(eps, latent, rising, "adjusted"))
    assert torch.equal(steps[0][1], latent)
    assert seen == rising[1:-1].tolist()
    assert [i for i, _ in steps] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["plain", "adjusted", "refined"])
def test_no_image_depends_on_its_batch(kind: str) -> None:
    latent = torch.cat([_latent(2), 40 * _latent(1)])
    together = extract_noise(_up(gaussian_eps, latent, 10, kind), latent, kind, 14.6)
    for i in range(3):
        one = latent[i : i + 1]
        alone = extract_noise(_up(gaussian_eps, one, 10, kind), one, kind, 14.6)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-6)


def test_refining_that_leads_away_is_given_up() -> None:
    def wild(x: Tensor, sigma: float) -> Tensor:
        return -3 * x

    latent, rising = _latent(), torch.tensor([0.0, 1.0, 2.0])
    ((_, first), (_, second)) = invert(wild, latent, rising, refinements=20)
    assert float(first.abs().max()) < 50
    assert float(second.abs().max()) < 500


def test_values_that_are_no_numbers_are_seen() -> None:
    latent = _latent()
    bad = list(invert(lambda x, sigma: x * float("nan"), latent, torch.tensor([0.0, 1.0])))
    assert bool(bad[-1][1].isnan().all())


def test_mixed_noise_keeps_its_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    found, random = torch.randn(2, 1, 4, 64, 64, generator=generator)
    for randomness in (0.0, 0.3, 0.5, 1.0):
        mixed = mix_noise(found, random, randomness)
        assert float(mixed.std()) == pytest.approx(1, abs=0.02)
    assert torch.equal(mix_noise(found, random, 0.0), found)
    assert torch.equal(mix_noise(found, random, 1.0), random)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"kind": "exact"}, "inversion 'exact': expected one of refined, plain, adjusted"),
        ({"steps": 0}, "inversion steps 0"),
        ({"randomness": 1.5}, "inversion randomness 1.5: expected 0 to 1"),
        ({"refinements": -1}, "inversion refinements -1"),
    ],
)
def test_bad_values_are_refused(bad: dict[str, object], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        Inversion(**bad)
