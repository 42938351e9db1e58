"""Latents and prompts in, restyled latents out: noise or inversion, then sampling.

The loop is a generator of ``SamplingProgress`` that returns its result, so that whoever runs it
may show each step and stop between any two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from kadr.stylize.diffusion.sampling.guidance import (
    Conditioning,
    Eps,
    denoiser_from,
    guided_eps,
    keep_outside,
)
from kadr.stylize.diffusion.sampling.inversion import Inversion, found_noise, invert, mix_noise
from kadr.stylize.diffusion.sampling.noise import NoiseSource, create_noise
from kadr.stylize.diffusion.sampling.samplers import find_sampler
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule, img2img_sigmas

Result = TypeVar("Result")


@dataclass(frozen=True)
class Sampling:
    """How latents are sampled; names as in A1111.

    exact_steps: run ``steps`` steps whatever the strength. noise_multiplier: of the first noise.
    reseed: "eta noise seed delta". together: evaluate both prompts as one batch.
    """

    sampler: str = "Euler a"
    steps: int = 20
    denoising_strength: float = 0.5
    cfg_scale: float = 7.0
    exact_steps: bool = False
    noise_source: str = "cpu"
    noise_multiplier: float = 1.0
    reseed: int = 0
    together: bool = True
    inversion: Inversion | None = None


@dataclass(frozen=True)
class Prompts:
    """What is wanted and what is not; ``original`` and ``original_negative`` serve inversion."""

    cond: Conditioning
    uncond: Conditioning
    original: Conditioning | None = None
    original_negative: Conditioning | None = None


@dataclass(frozen=True, eq=False)
class SamplingProgress:
    """One step done. step: "invert" or "sample"; index is 1-based; x the latents as they stand."""

    step: str
    index: int
    total: int
    x: Tensor


def restyle_latent(
    eps: Eps,
    schedule: NoiseSchedule,
    latent: Tensor,
    prompts: Prompts,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    mask: Tensor | None = None,
    first_noise: Tensor | None = None,
    found: Tensor | None = None,
    around: Callable[[NoiseSource], NoiseSource] | None = None,
) -> Generator[SamplingProgress, None, Tensor]:
    """Restyle a batch of latents, (B, 4, h, w) float32; returns theirs, of the same shape.

    seeds: one for each image; all that is random in it follows from its seed alone.
    mask: (B or 1, 1, h, w), 1 where latents may change, 0 where they stay; None: everywhere.
    first_noise: (B or 1, 4, h, w) unit noise in place of the first that the seeds give.
    found: what ``find_noise`` gave for the same latents and sampling, so as not to look again.
    around: changes what the seeds give at each draw, as noise that is carried along does.
    Raises OptionsError for a bad number or name in ``sampling``.
    """
    sampler = find_sampler(sampling.sampler)
    sigmas = sampling_sigmas(schedule, sampling)
    source = create_noise(
        sampling.noise_source,
        seeds,
        tuple(latent.shape[1:]),
        device=latent.device,
        reseed=sampling.reseed,
        first=first_noise,
    )
    if around is not None:
        source = around(source)
    noise = source.draw() * sampling.noise_multiplier
    if sampling.inversion is not None and len(sigmas) > 1:
        if found is None:
            found = yield from find_noise(eps, schedule, latent, prompts, sampling)
        noise = mix_noise(found, noise, sampling.inversion.randomness)
        if sampling.inversion.kind != "refined":
            noise = noise - latent / schedule.sigma_max
    guided = guided_eps(
        eps, prompts.cond, prompts.uncond, sampling.cfg_scale, together=sampling.together
    )
    denoise = denoiser_from(guided)
    if mask is not None:
        denoise = keep_outside(denoise, latent, mask)
    x = start = latent + noise * float(sigmas[0])
    for i, x in sampler.sample(denoise, start, sigmas, source.draw):
        yield SamplingProgress("sample", i + 1, len(sigmas) - 1, x)
    return x if mask is None else torch.lerp(latent, x, mask)


def find_noise(
    eps: Eps, schedule: NoiseSchedule, latent: Tensor, prompts: Prompts, sampling: Sampling
) -> Generator[SamplingProgress, None, Tensor]:
    """The unit noise from which ``sampling`` would regenerate the latents, (B, 4, h, w).

    Depends on no seed. ``sampling`` must have an inversion and at least one step.
    """
    inversion, sigmas = sampling.inversion, sampling_sigmas(schedule, sampling)
    if inversion is None or len(sigmas) < 2:
        raise ValueError("expected a sampling with an inversion and at least one step")
    guided = guided_eps(
        eps,
        prompts.original or prompts.cond,
        prompts.original_negative or prompts.uncond,
        inversion.cfg_scale,
        together=sampling.together,
    )
    rising = _rising(schedule, sigmas, sampling.steps, inversion)
    x = latent
    for i, x in invert(guided, latent, rising, inversion.kind, refinements=inversion.refinements):
        yield SamplingProgress("invert", i + 1, len(rising) - 1, x)
    return found_noise(x, latent, inversion.kind, float(rising[-1]))


def resize_latent(latent: Tensor, width: int, height: int) -> Tensor:
    """Latents (B, C, h, w) of a picture of another size in pixels, both multiples of 8.

    Bilinear, as "just resize (latent upscale)" of A1111 does before sampling.
    """
    return functional.interpolate(latent, (height // 8, width // 8), mode="bilinear")


def finish(
    steps: Generator[SamplingProgress, None, Result], check: Callable[[SamplingProgress], object]
) -> Result:
    """Run a loop to its end, calling ``check`` after each step; what it raises stops the loop."""
    with closing(steps):
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            check(progress)


def _rising(schedule: NoiseSchedule, sigmas: Tensor, steps: int, inversion: Inversion) -> Tensor:
    """The noise levels that inversion walks up.

    A1111's kinds go all the way to the highest level; "refined" goes where sampling starts.
    """
    if inversion.kind != "refined":
        return schedule.get_sigmas(inversion.steps or steps).flip(0)
    if inversion.steps is None:
        return sigmas.flip(0)
    own = schedule.get_sigmas(inversion.steps)
    return torch.cat([sigmas[:1], own[own < sigmas[0]]]).flip(0)


def sampling_sigmas(schedule: NoiseSchedule, sampling: Sampling) -> Tensor:
    """The falling noise levels of a sampling."""
    sampler = find_sampler(sampling.sampler)
    return img2img_sigmas(
        schedule,
        sampling.steps,
        sampling.denoising_strength,
        spread=sampler.spread,
        exact_steps=sampling.exact_steps,
        drop_next_to_last=sampler.drop_next_to_last,
    )
