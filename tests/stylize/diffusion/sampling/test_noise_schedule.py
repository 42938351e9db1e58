"""Noise levels against formulas, published numbers and diffusers' schedulers."""

from __future__ import annotations

import math

import pytest
import torch
from analytic_models import NO_PROMPT, SCHEDULE, gaussian_eps, gaussian_flow
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.guidance import Conditioning, Eps, eps_from
from kadr.stylize.diffusion.sampling.img2img import Prompts, SamplingSettings, restyle_latents
from kadr.stylize.diffusion.sampling.noise import create_noise
from kadr.stylize.diffusion.sampling.schedule import (
    ContinuousSchedule,
    NoiseSchedule,
    img2img_sigmas,
    rescale_to_zero_snr,
)

# of diffusers with NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _theirs(**more: object) -> EulerDiscreteScheduler:
    """diffusers' scheduler with the settings under which it agrees."""
    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return EulerDiscreteScheduler(**settings, timestep_spacing="linspace", **more)


def test_the_ends_are_those_of_stable_diffusion() -> None:
    assert SCHEDULE.sigma_min == pytest.approx(0.0292, abs=5e-5)
    assert SCHEDULE.sigma_max == pytest.approx(14.6146, abs=5e-5)
    assert NoiseSchedule.scaled_linear(downcast=True).sigma_min == pytest.approx(0.0313, abs=5e-5)


@pytest.mark.parametrize("steps", [5, 10, 20, 37, 50])
def test_even_spread_is_that_of_diffusers(steps: int) -> None:
    theirs = _theirs()
    theirs.set_timesteps(steps)
    ours = SCHEDULE.get_sigmas(steps)
    assert ours.shape == (steps + 1,)
    assert ours[-1] == 0
    torch.testing.assert_close(ours[:-1], theirs.sigmas[:-1], rtol=1e-4, atol=0)
    theirs.set_timesteps(sigmas=ours.numpy())
    timesteps = SCHEDULE.sigma_to_t(ours[:-1])
    torch.testing.assert_close(timesteps, theirs.timesteps.float(), rtol=0, atol=5e-4)
    torch.testing.assert_close(timesteps, torch.linspace(999, 0, steps), rtol=0, atol=1e-3)


@pytest.mark.parametrize("steps", [5, 20, 50])
def test_karras_spread_is_that_of_diffusers(steps: int) -> None:
    theirs = _theirs(use_karras_sigmas=True)
    theirs.set_timesteps(steps)
    torch.testing.assert_close(SCHEDULE.karras(steps), theirs.sigmas, rtol=1e-5, atol=1e-6)


def test_exponential_levels_have_one_ratio() -> None:
    sigmas = SCHEDULE.exponential(6)
    assert (float(sigmas[0]), float(sigmas[5])) == pytest.approx(
        (SCHEDULE.sigma_max, SCHEDULE.sigma_min), rel=1e-5
    )
    ratios = sigmas[:5] / sigmas[1:6]
    torch.testing.assert_close(ratios, ratios[:1].expand(5), rtol=1e-5, atol=0)
    assert sigmas[6] == 0


@given(st.floats(0, 999))
def test_timesteps_and_noise_levels_are_inverse(timestep: float) -> None:
    sigma = SCHEDULE.t_to_sigma(timestep)
    assert float(SCHEDULE.sigma_to_t(sigma)) == pytest.approx(timestep, abs=2e-3)


def test_between_timesteps_the_logarithm_is_interpolated() -> None:
    low, high = SCHEDULE.sigmas[400:402].tolist()
    assert float(SCHEDULE.t_to_sigma(400.25)) == pytest.approx(low**0.75 * high**0.25, rel=1e-6)
    assert SCHEDULE.sigma_to_t(torch.tensor([0.0, 1e-9, 1e9])).tolist() == [0, 0, 999]


@pytest.mark.parametrize(
    ("steps", "strength", "exact", "run"),
    [
        (20, 0.5, False, 11),
        (20, 0.0, False, 1),
        (20, 1.0, False, 20),
        (60, 0.5, False, 31),
        (20, 0.75, False, 16),
        (1, 0.3, False, 1),
        (20, 0.5, True, 20),
        (20, 0.05, True, 20),
        (20, 1.0, True, 20),
        (20, 0.0, True, 0),
    ],
)
def test_steps_follow_from_the_strength(steps: int, strength: float, exact: bool, run: int) -> None:
    sigmas = img2img_sigmas(SCHEDULE, steps, strength, exact_steps=exact)
    assert len(sigmas) == run + 1
    assert sigmas[-1] == 0


@given(st.integers(1, 60), st.just(0.0) | st.floats(0.01, 1))
def test_what_is_run_is_the_end_of_a_whole_schedule(steps: int, strength: float) -> None:
    whole = SCHEDULE.get_sigmas(steps)
    part = img2img_sigmas(SCHEDULE, steps, strength)
    torch.testing.assert_close(part, whole[len(whole) - len(part) :], rtol=0, atol=0)
    if strength > 0:
        longer = SCHEDULE.get_sigmas(int(steps / min(strength, 0.999)))
        exact = img2img_sigmas(SCHEDULE, steps, strength, exact_steps=True)
        torch.testing.assert_close(exact, longer[-steps - 1 :], rtol=0, atol=0)


def test_the_level_before_the_last_is_left_out_where_asked() -> None:
    whole = SCHEDULE.karras(21).tolist()
    part = img2img_sigmas(SCHEDULE, 20, 0.5, spread="karras", drop_next_to_last=True)
    assert part.tolist() == [*whole[9:20], 0]


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(OptionsError, match=r"denoising_strength 1.5: expected 0 to 1"):
        img2img_sigmas(SCHEDULE, 20, 1.5)
    with pytest.raises(OptionsError, match="steps 0: expected 1 or more"):
        img2img_sigmas(SCHEDULE, 0, 0.5)
    with pytest.raises(OptionsError, match=r"denoising_strength 1e-09: .* at least 0\.0002"):
        img2img_sigmas(SCHEDULE, 20, 1e-9, exact_steps=True)
    with pytest.raises(
        OptionsError, match="schedule 'odd': expected one of uniform, karras, exponential"
    ):
        SCHEDULE.spread("odd", 5)
    with pytest.raises(ValueError, match="alphas_cumprod"):
        NoiseSchedule(torch.tensor([0.9, 0.0]))


def test_continuous_levels_are_even_in_their_logarithm() -> None:
    schedule = ContinuousSchedule(0.01, 100.0)
    sigmas = schedule.get_sigmas(5)
    torch.testing.assert_close(sigmas, torch.tensor([100.0, 10, 1, 0.1, 0.01, 0]))
    timesteps = schedule.sigma_to_t(sigmas)
    torch.testing.assert_close(timesteps[:5], torch.tensor([100.0, 10, 1, 0.1, 0.01]).log() / 4)
    assert timesteps[5] == timesteps[4], "levels below the lowest count as the lowest"
    torch.testing.assert_close(schedule.t_to_sigma(timesteps[:5]), sigmas[:5])
    for low, high in ((0.0, 1.0), (2.0, 1.0), (0.1, float("inf"))):
        with pytest.raises(ValueError, match="expected 0 < lowest < highest"):
            ContinuousSchedule(low, high)


def test_zero_snr_leaves_nothing_of_the_frame() -> None:
    """The brightness of a frame shows in pure noise of the usual schedule, and must not here."""
    rescaled = NoiseSchedule(rescale_to_zero_snr(1 / (1 + SCHEDULE.sigmas.double() ** 2)))
    latents = torch.full((1, 4, 8, 8), 20.0)
    settings = SamplingSettings(sampler="Heun", steps=60, denoising_strength=1.0)
    prompts = Prompts(NO_PROMPT, NO_PROMPT)
    for schedule, sigma in ((SCHEDULE, 14.6146), (rescaled, 4518.7)):
        steps = restyle_latents(_gaussian_v(schedule), schedule, latents, prompts, [3], settings)
        found = list(steps)[-1].x
        noise = create_noise("cpu", [3], (4, 8, 8), device=latents.device).draw()
        expected = gaussian_flow(latents + noise * sigma, sigma)
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-2)
        left = float((found - gaussian_flow(noise * sigma, sigma)).mean())
        assert left == pytest.approx(20 * 0.7 / sigma, abs=1e-2)


def _gaussian_v(schedule: NoiseSchedule) -> Eps:
    """The Gaussian denoiser as a network that predicts v, for a schedule."""

    def network(x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        sigma = float(schedule.t_to_sigma(timestep[0]))
        spread = math.sqrt(1 + sigma**2)
        noise = gaussian_eps(x * spread, sigma)
        return (noise - sigma * (x * spread - sigma * noise)) / spread

    return eps_from(network, schedule, "v_prediction")
