"""Pictures and prompts in, restyled pictures out: prepare, noise or inversion, sample, decode.

The loop is a generator of ``Progress`` that returns its result, so that whoever runs it may show
each step and stop between any two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kadr.stylize.diffusion.guidance import (
    Conditioning,
    Eps,
    denoiser_from,
    guided_eps,
    keep_outside,
)
from kadr.stylize.diffusion.inversion import Inversion, found_noise, invert, mix_noise
from kadr.stylize.diffusion.masks import latent_mask
from kadr.stylize.diffusion.noise import create_noise
from kadr.stylize.diffusion.samplers import find_sampler
from kadr.stylize.diffusion.schedule import Schedule, img2img_sigmas

Result = TypeVar("Result")

Pictures = NDArray[np.uint8]
"""(B, H, W, 3) uint8, H and W multiples of 8."""

Masks = NDArray[np.uint8]
"""(B, H, W) uint8: 255 where the picture may change."""


class Model(Protocol):
    """What the loop asks of a model. Latents are float32 on the model's device, scaled."""

    @property
    def schedule(self) -> Schedule:
        """Its noise levels."""
        ...

    def encode(self, pictures: Pictures, seeds: Sequence[int]) -> Tensor:
        """(B, 4, H/8, W/8): latents, sampled with one stream for each seed."""
        ...

    def decode(self, latent: Tensor) -> Pictures:
        """The pictures of latents, clamped and truncated to 8 bits."""
        ...

    def eps(
        self, x: Tensor, sigma: float, conditioning: Conditioning, extra: Tensor | None
    ) -> Tensor:
        """The unit noise in x (N, 4, h, w); N is a multiple of the batch of ``extra``."""
        ...

    def extra(self, pictures: Pictures, masks: Masks | None) -> Tensor | None:
        """(B, 5, h, w): mask and masked latent that an inpainting model sees; None for others."""
        ...


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
class Progress:
    """One step done. step: "invert" or "sample"; index is 1-based; x the latents as they stand."""

    step: str
    index: int
    total: int
    x: Tensor


def restyle_pictures(
    model: Model,
    pictures: Pictures,
    prompts: Prompts,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    masks: Masks | None = None,
    latent_size: tuple[int, int] | None = None,
    first_noise: Tensor | None = None,
) -> Generator[Progress, None, Pictures]:
    """Restyle a batch of pictures of one size; the pictures come back in that size.

    seeds: one for each picture; all that is random follows from it.
    masks: where pictures may change; None: everywhere.
    latent_size: (width, height) in pixels, multiples of 8, that latents are resized to and
    pictures come back in ("just resize (latent upscale)").
    first_noise: (B or 1, 4, h, w) unit noise in place of the first that the seeds would give.
    """
    latent = model.encode(pictures, seeds)
    extra = model.extra(pictures, masks)
    if latent_size is not None:
        size = latent_size[1] // 8, latent_size[0] // 8
        latent = functional.interpolate(latent, size, mode="bilinear")
        extra = None if extra is None else functional.interpolate(extra, size)
    mask = None if masks is None else latent_mask(masks, latent.shape[-2:]).to(latent)

    def eps(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        return model.eps(x, sigma, conditioning, extra)

    restyled = yield from restyle_latent(
        eps, model.schedule, latent, prompts, seeds, sampling, mask=mask, first_noise=first_noise
    )
    return model.decode(restyled)


def restyle_latent(
    eps: Eps,
    schedule: Schedule,
    latent: Tensor,
    prompts: Prompts,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    mask: Tensor | None = None,
    first_noise: Tensor | None = None,
) -> Generator[Progress, None, Tensor]:
    """Restyle a batch of latents, (B, 4, h, w).

    mask: (B, 1, h, w), 1 where latents may change, 0 where they stay.
    """
    sampler = find_sampler(sampling.sampler)
    sigmas = img2img_sigmas(
        schedule,
        sampling.steps,
        sampling.denoising_strength,
        spread=sampler.spread,
        exact_steps=sampling.exact_steps,
        drop_next_to_last=sampler.drop_next_to_last,
    )
    source = create_noise(
        sampling.noise_source,
        seeds,
        tuple(latent.shape[1:]),
        device=latent.device,
        reseed=sampling.reseed,
        first=first_noise,
    )
    noise = source.draw() * sampling.noise_multiplier
    if sampling.inversion is not None and len(sigmas) > 1:
        noise = yield from _found(
            eps, schedule, latent, prompts, sigmas, noise, sampling, sampling.inversion
        )
    denoise = denoiser_from(
        guided_eps(
            eps, prompts.cond, prompts.uncond, sampling.cfg_scale, together=sampling.together
        )
    )
    if mask is not None:
        denoise = keep_outside(denoise, latent, mask)
    x = start = latent + noise * float(sigmas[0])
    for i, x in sampler.sample(denoise, start, sigmas, source.draw):
        yield Progress("sample", i + 1, len(sigmas) - 1, x)
    return x if mask is None else torch.lerp(latent, x, mask)


def finish(steps: Generator[Progress, None, Result], check: Callable[[Progress], object]) -> Result:
    """Run a loop to its end, calling ``check`` after each step; what it raises stops the loop."""
    with closing(steps):
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            check(progress)


def _found(
    eps: Eps,
    schedule: Schedule,
    latent: Tensor,
    prompts: Prompts,
    sigmas: Tensor,
    random: Tensor,
    sampling: Sampling,
    inversion: Inversion,
) -> Generator[Progress, None, Tensor]:
    """The first noise, found rather than drawn: ``latent + noise * sigmas[0]`` is the start."""
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
        yield Progress("invert", i + 1, len(rising) - 1, x)
    found = found_noise(x, latent, inversion.kind, float(rising[-1]))
    mixed = mix_noise(found, random, inversion.randomness)
    if inversion.kind == "refined":
        return mixed
    return mixed - latent / schedule.sigma_max


def _rising(schedule: Schedule, sigmas: Tensor, steps: int, inversion: Inversion) -> Tensor:
    """The noise levels that inversion walks up.

    A1111's kinds go all the way to the highest level; "refined" goes where sampling starts.
    """
    if inversion.kind != "refined":
        return schedule.get_sigmas(inversion.steps or steps).flip(0)
    if inversion.steps is None:
        return sigmas.flip(0)
    own = schedule.get_sigmas(inversion.steps)
    return torch.cat([sigmas[:1], own[own < sigmas[0]]]).flip(0)
