"""Samplers against exact solutions, formulas and diffusers' schedulers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from analytic_models import MEAN, SCHEDULE, SPREAD, gaussian_denoise, gaussian_eps, gaussian_flow
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.samplers import SAMPLERS, Sampler, find_sampler
from kadr.stylize.diffusion.sampling.schedule import SCHEDULES

# of diffusers with NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}

_NAMES = [
    f"{name} {schedule.capitalize()}"
    for name in SAMPLERS
    for schedule in SCHEDULES
    if schedule != "exponential" or name == "DPM++ 2M"
]
_PLAIN = [name for name in _NAMES if not find_sampler(name).random]
_RANDOM = [name for name in _NAMES if find_sampler(name).random]

_OF_A1111 = {
    "Euler a": ("uniform", 1),
    "Euler": ("uniform", 1),
    "Heun": ("uniform", 2),
    "DPM2": ("karras", 2),
    "DPM2 a": ("karras", 2),
    "DPM++ 2S a": ("karras", 2),
    "DPM++ 2M": ("karras", 1),
}
"""Sampler → its schedule where it is "Automatic", and evaluations of a step, in A1111 1.10.1."""


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_bare_name_has_the_schedule_that_a1111_gives_it(name: str) -> None:
    schedule, evaluations = _OF_A1111[name]
    sampler, count = find_sampler(name), 0
    assert (sampler.name, sampler.schedule) == (name, schedule)
    assert find_sampler(f"{name} Automatic") == sampler

    def denoise(x: Tensor, sigma: float) -> Tensor:
        nonlocal count
        count += 1
        return gaussian_denoise(x, sigma)

    list(
        sampler.sample(
            denoise, torch.ones(1, 4, 2, 2), SCHEDULE.get_sigmas(5), lambda: torch.zeros(1, 4, 2, 2)
        )
    )
    # the step to 0 needs no second evaluation
    assert count == (1 + 4 * evaluations if sampler.second_order else 5)
    assert sampler.second_order == (evaluations == 2)


@pytest.mark.parametrize(
    ("name", "schedule", "full_name"),
    [
        ("dpm++ 2m  KARRAS", "karras", "DPM++ 2M Karras"),
        ("DPM++ 2M Uniform", "uniform", "DPM++ 2M"),
        ("DPM++ 2M Normal", "uniform", "DPM++ 2M"),
        ("DPM2 a Exponential", "exponential", "DPM2 a Exponential"),
        ("Euler a Karras", "karras", "Euler a Karras"),
    ],
)
def test_a_schedule_may_follow_the_name(name: str, schedule: str, full_name: str) -> None:
    sampler = find_sampler(name)
    assert (sampler.schedule, sampler.full_name) == (schedule, full_name)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _draws(seed: int = 5) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(shape, generator=generator)


def _run(sampler: Sampler, x: Tensor, sigmas: Tensor, seed: int = 5) -> Tensor:
    draw = _draws(seed)
    return list(sampler.sample(gaussian_denoise, x, sigmas, lambda: draw(*x.shape)))[-1][1]


def _error(name: str, steps: int) -> float:
    """Of a sampler on the Gaussian, against the exact solution, in float64."""
    sampler = find_sampler(name)
    sigmas = SCHEDULE.spread(sampler.schedule, steps).double()
    start = MEAN + sigmas[0] * _noise(1, 4, 8, 8).double()
    return float(
        (_run(sampler, start, sigmas) - gaussian_flow(start, float(sigmas[0]))).abs().max()
    )


@pytest.mark.parametrize("name", _PLAIN)
def test_deterministic_samplers_approach_the_exact_solution(name: str) -> None:
    first, second = _error(name, 20), _error(name, 40)
    assert second < 0.15
    assert second < first / (1.6 if name.startswith("Euler") else 2.5)


@pytest.mark.parametrize("name", _RANDOM)
def test_random_samplers_reach_the_distribution(name: str) -> None:
    sampler = find_sampler(name)
    sigmas = SCHEDULE.spread(sampler.schedule, 100)
    result = _run(sampler, sigmas[0] * _noise(4, 4, 64, 64), sigmas)
    assert float(result.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(result.std()) == pytest.approx(SPREAD, rel=0.05)


@pytest.mark.parametrize("name", _RANDOM)
def test_random_samplers_draw_at_every_step_but_the_last(name: str) -> None:
    sigmas, drawn = SCHEDULE.get_sigmas(7), []

    def draw() -> Tensor:
        drawn.append(1)
        return torch.zeros(1, 4, 8, 8)

    list(find_sampler(name).sample(gaussian_denoise, _noise(1, 4, 8, 8), sigmas, draw))
    assert len(drawn) == 6


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_step_is_yielded_and_the_last_is_clean(name: str) -> None:
    sampler, sigmas = find_sampler(name), SCHEDULE.get_sigmas(6)
    clean: list[Tensor] = []

    def denoise(x: Tensor, sigma: float) -> Tensor:
        assert sigma > 0
        clean.append(gaussian_denoise(x, sigma))
        return clean[-1]

    start = sigmas[0] * _noise(2, 4, 8, 8)
    steps = list(sampler.sample(denoise, start, sigmas, lambda: torch.zeros_like(start)))
    assert [i for i, _ in steps] == list(range(6))
    torch.testing.assert_close(steps[-1][1], clean[-1], rtol=0, atol=1e-5)
    assert not list(sampler.sample(denoise, start, sigmas[-1:], lambda: start))


def _theirs(scheduler: Any, start: Tensor, steps: int) -> Tensor:
    """diffusers' loop with the Gaussian for a network."""
    scheduler.set_timesteps(steps)
    x = start
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(x, timestep)
        sigma = float(scheduler.sigmas[scheduler.step_index])
        x = scheduler.step(gaussian_eps(x, sigma), timestep, x).prev_sample
    return x


@pytest.mark.parametrize("steps", [8, 20])
@pytest.mark.parametrize(
    ("name", "kind"), [("Euler", EulerDiscreteScheduler), ("Heun", HeunDiscreteScheduler)]
)
def test_steps_are_those_of_diffusers(name: str, kind: Any, steps: int) -> None:
    scheduler = kind(**_BETAS, timestep_spacing="linspace")
    start = 14.6146 * _noise(1, 4, 8, 8)
    scheduler.set_timesteps(steps)
    theirs = _theirs(scheduler, start, steps)
    ours = _run(find_sampler(name), start, SCHEDULE.get_sigmas(steps))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-5)


def test_multistep_steps_are_those_of_diffusers() -> None:
    scheduler = DPMSolverMultistepScheduler(
        **_BETAS, use_karras_sigmas=True, timestep_spacing="linspace"
    )
    scheduler.set_timesteps(12)
    sigmas = torch.cat([scheduler.sigmas[:-1], torch.zeros(1)])
    start = _noise(1, 4, 8, 8)
    spread = math.sqrt(1 + float(sigmas[0]) ** 2)
    x = start / spread  # theirs keeps unit variance
    for i, timestep in enumerate(scheduler.timesteps):
        sigma = float(sigmas[i])
        eps = gaussian_eps(x * math.sqrt(1 + sigma**2), sigma)
        x = scheduler.step(eps, timestep, x).prev_sample
    torch.testing.assert_close(_run(find_sampler("DPM++ 2M"), start, sigmas), x, rtol=0, atol=5e-5)


def test_the_ancestral_step_is_its_formula() -> None:
    start, noise = 3.0 + 2.0 * _noise(1, 4, 8, 8), _noise(1, 4, 8, 8, seed=1)
    sigmas = torch.tensor([2.0, 1.0, 0.0])
    (_, found), _ = find_sampler("euler  A").sample(gaussian_denoise, start, sigmas, lambda: noise)
    up = math.sqrt(1.0**2 * (2.0**2 - 1.0**2) / 2.0**2)
    down = math.sqrt(1 - up**2)
    wanted = start + gaussian_eps(start, 2.0) * (down - 2) + up * noise
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(OptionsError, match="sampler 'Oiler': expected one of Euler a, Euler, Heun"):
        find_sampler("Oiler")
    with pytest.raises(OptionsError, match="after it nothing or Uniform, Karras, Exponential"):
        find_sampler("Euler Simple")
