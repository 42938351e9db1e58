"""Latents and prompts in, restyled latents out: noise or inversion, then sampling.

The loop is a generator of ``SamplingProgress`` that returns its result, so the caller can show each
step and stop after any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from kadr.stylize.diffusion.sampling.guidance import (
    Conditioning,
    Eps,
    Prompt,
    denoiser_from,
    guided_eps,
    keep_unmasked,
)
from kadr.stylize.diffusion.sampling.inversion import Inversion, extract_noise, invert, mix_noise
from kadr.stylize.diffusion.sampling.noise import NoiseSource, create_noise
from kadr.stylize.diffusion.sampling.samplers import find_sampler
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule, img2img_sigmas

Result = TypeVar("Result")


@dataclass(frozen=True)
class SamplingSettings:
    """How latents are sampled; names as in A1111.

    exact_steps: run ``steps`` steps at any strength. noise_multiplier: scales the first noise.
    cfg_rescale: see ``guided_eps``. reseed: "eta noise seed delta". batch_prompts: evaluate both
    prompts as one batch.
    """

    sampler: str = "Euler a"
    steps: int = 20
    denoising_strength: float = 0.5
    cfg_scale: float = 7.0
    cfg_rescale: float = 0.0
    exact_steps: bool = False
    noise_source: str = "cpu"
    noise_multiplier: float = 1.0
    reseed: int = 0
    batch_prompts: bool = True
    inversion: Inversion | None = None


@dataclass(frozen=True)
class Prompts:
    """The encoded prompts of a run; ``original`` and ``original_negative`` are for inversion.

    Only those of sampling may change from step to step.
    """

    cond: Prompt
    uncond: Prompt
    original: Conditioning | None = None
    original_negative: Conditioning | None = None


@dataclass(frozen=True, eq=False)
class SamplingProgress:
    """One finished step. step: "invert" or "sample"; index: from 1; x: the current latents."""

    step: str
    index: int
    total: int
    x: Tensor


def restyle_latents(
    eps: Eps,
    schedule: NoiseSchedule,
    latents: Tensor,
    prompts: Prompts,
    seeds: Sequence[int],
    settings: SamplingSettings,
    *,
    mask: Tensor | None = None,
    first_noise: Tensor | None = None,
    inverted_noise: Tensor | None = None,
    transform_noise: Callable[[NoiseSource], NoiseSource] | None = None,
) -> Generator[SamplingProgress, None, Tensor]:
    """Restyle a batch of latents, (B, 4, h, w) float32; returns latents of the same shape.

    seeds: one for each image; everything random in an image depends only on its seed.
    mask: (B or 1, 1, h, w), 1 where latents may change, 0 where they stay; None: everywhere.
    first_noise: (B or 1, 4, h, w) unit noise that replaces the first draw.
    inverted_noise: the result of ``invert_latents`` for the same latents and settings, if it is
    known already.
    transform_noise: replaces the noise source, for example by one that carries noise along motion.
    Raises OptionsError for a bad number or name in ``settings``.
    """
    sampler = find_sampler(settings.sampler)
    sigmas = sampling_sigmas(schedule, settings)
    source = create_noise(
        settings.noise_source,
        seeds,
        tuple(latents.shape[1:]),
        device=latents.device,
        reseed=settings.reseed,
        first=first_noise,
    )
    if transform_noise is not None:
        source = transform_noise(source)
    noise = source.draw() * settings.noise_multiplier
    if settings.inversion is not None and len(sigmas) > 1:
        if inverted_noise is None:
            inverted_noise = yield from invert_latents(eps, schedule, latents, prompts, settings)
        noise = mix_noise(inverted_noise, noise, settings.inversion.randomness)
        if settings.inversion.kind != "refined":
            noise = noise - latents / schedule.sigma_max
    guided = guided_eps(
        eps,
        prompts.cond,
        prompts.uncond,
        settings.cfg_scale,
        rescale=settings.cfg_rescale,
        batched=settings.batch_prompts,
    )
    denoise = denoiser_from(guided)
    if mask is not None:
        denoise = keep_unmasked(denoise, latents, mask)
    x = start = latents + noise * float(sigmas[0])
    for i, x in sampler.sample(denoise, start, sigmas, source.draw):
        yield SamplingProgress("sample", i + 1, len(sigmas) - 1, x)
    return x if mask is None else torch.lerp(latents, x, mask)


def invert_latents(
    eps: Eps,
    schedule: NoiseSchedule,
    latents: Tensor,
    prompts: Prompts,
    settings: SamplingSettings,
) -> Generator[SamplingProgress, None, Tensor]:
    """The unit noise from which sampling would regenerate the latents, (B, 4, h, w).

    Does not depend on a seed, nor on the prompts of sampling. ``settings`` must have an inversion
    and at least one step, ``prompts`` the original prompts.
    """
    inversion, sigmas = settings.inversion, sampling_sigmas(schedule, settings)
    if inversion is None or len(sigmas) < 2:
        raise ValueError("expected settings with an inversion and at least one step")
    if prompts.original is None or prompts.original_negative is None:
        raise ValueError("expected the original prompts, which inversion follows")
    guided = guided_eps(
        eps,
        prompts.original,
        prompts.original_negative,
        inversion.cfg_scale,
        batched=settings.batch_prompts,
    )
    rising = _rising_sigmas(schedule, sigmas, settings.steps, inversion)
    x = latents
    for i, x in invert(guided, latents, rising, inversion.kind, refinements=inversion.refinements):
        yield SamplingProgress("invert", i + 1, len(rising) - 1, x)
    return extract_noise(x, latents, inversion.kind, float(rising[-1]))


def resize_latents(latents: Tensor, width: int, height: int) -> Tensor:
    """Resize latents (B, C, h, w) to those of another image size in pixels, multiples of 8.

    Bilinear, as "just resize (latent upscale)" of A1111 does before sampling.
    """
    return functional.interpolate(latents, (height // 8, width // 8), mode="bilinear")


def prompt_steps(settings: SamplingSettings) -> int:
    """How many steps the texts of a changing prompt are for.

    As in A1111: all steps of the settings whatever the strength, twice for samplers that evaluate
    the network twice in a step.
    """
    return settings.steps * (2 if find_sampler(settings.sampler).second_order else 1)


def sampling_sigmas(schedule: NoiseSchedule, settings: SamplingSettings) -> Tensor:
    """The falling noise levels of the sampling loop."""
    sampler = find_sampler(settings.sampler)
    return img2img_sigmas(
        schedule,
        settings.steps,
        settings.denoising_strength,
        spread=sampler.schedule,
        exact_steps=settings.exact_steps,
        drop_next_to_last=sampler.drop_next_to_last,
    )


def _rising_sigmas(
    schedule: NoiseSchedule, sigmas: Tensor, steps: int, inversion: Inversion
) -> Tensor:
    """The rising noise levels of inversion.

    A1111's kinds end at the highest level of the model, "refined" where sampling starts.
    """
    if inversion.kind != "refined":
        return schedule.get_sigmas(inversion.steps or steps).flip(0)
    if inversion.steps is None:
        return sigmas.flip(0)
    levels = schedule.get_sigmas(inversion.steps)
    return torch.cat([sigmas[:1], levels[levels < sigmas[0]]]).flip(0)
