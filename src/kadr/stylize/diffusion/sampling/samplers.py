"""A denoiser, a noisy latent and falling noise levels in, less and less noisy latents out.

Each sampler is a generator ``sample(denoise, x, sigmas, draw)`` that yields ``(i, x)`` after step
i, so that progress, preview and cancelling need no callback. The last x is the result. With fewer
than two noise levels nothing is yielded. ``draw`` returns fresh unit noise of x's shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.guidance import Denoiser
from kadr.stylize.diffusion.sampling.schedule import SCHEDULES

Draw = Callable[[], Tensor]
Steps = Iterator[tuple[int, Tensor]]
Sample = Callable[[Denoiser, Tensor, Tensor, Draw], Steps]


@dataclass(frozen=True)
class Sampler:
    """A stepping rule, with the noise levels that it runs on.

    name: as in A1111, without a schedule.
    sample: the stepping rule.
    schedule: how noise levels are distributed, one of ``SCHEDULES``.
    default_schedule: the one that the bare name stands for, A1111's "Automatic" since version 1.9.
    drop_next_to_last: whether one more noise level is computed and the last but one removed.
    random: whether it draws noise between steps.
    second_order: whether a step, except the last, evaluates the network twice.
    """

    name: str
    sample: Sample
    schedule: str = "uniform"
    default_schedule: str = "uniform"
    drop_next_to_last: bool = False
    random: bool = False
    second_order: bool = False

    @property
    def full_name(self) -> str:
        """The name with its schedule, such as "DPM++ 2M Karras"; "Euler" if that is uniform."""
        if self.schedule == "uniform":
            return self.name
        return f"{self.name} {self.schedule.capitalize()}"


def euler(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """Euler's method, algorithm 2 of Karras et al. 2022 without churn or correction."""
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        slope = (x - denoise(x, sigma)) / sigma
        x = x + slope * (following - sigma)
        yield i, x


def euler_ancestral(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """Euler's method with part of the noise replaced by fresh noise at every step but the last."""
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        down, up = _ancestral(sigma, following)
        slope = (x - denoise(x, sigma)) / sigma
        x = x + slope * (down - sigma)
        if following > 0:
            x = x + draw() * up
        yield i, x


def heun(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """Heun's method: Euler's step with the mean of the slopes at both ends."""
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        slope = (x - denoise(x, sigma)) / sigma
        end = x + slope * (following - sigma)
        if following > 0:
            slope = (slope + (end - denoise(end, following)) / following) / 2
            end = x + slope * (following - sigma)
        x = end
        yield i, x


def dpm2(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """The midpoint method; the midpoint is taken in the logarithm of the noise level."""
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        x = _midpoint_step(denoise, x, sigma, following)
        yield i, x


def dpm2_ancestral(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """The midpoint method with part of the noise replaced by fresh noise at each step."""
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        down, up = _ancestral(sigma, following)
        x = _midpoint_step(denoise, x, sigma, down)
        if following > 0:
            x = x + draw() * up
        yield i, x


def dpmpp_2s_ancestral(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """DPM-Solver++(2S) of Lu et al. 2022 with fresh noise at every step but the last."""
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        down, up = _ancestral(sigma, following)
        clean = denoise(x, sigma)
        if down > 0:
            middle = math.sqrt(sigma * down)
            clean = denoise(_exponential_step(x, clean, sigma, middle), middle)
        x = _exponential_step(x, clean, sigma, down)
        if following > 0:
            x = x + draw() * up
        yield i, x


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Tensor, draw: Draw) -> Steps:
    """DPM-Solver++(2M) of Lu et al. 2022: uses the last two estimates, one evaluation a step."""
    previous_clean: Tensor | None = None
    previous_sigma = 0.0
    for i, (sigma, following) in enumerate(_level_pairs(sigmas)):
        clean = denoise(x, sigma)
        extrapolated = clean
        if previous_clean is not None and following > 0:
            ratio = math.log(previous_sigma / sigma) / math.log(sigma / following)
            extrapolated = clean + (clean - previous_clean) / (2 * ratio)
        x = _exponential_step(x, extrapolated, sigma, following)
        previous_clean, previous_sigma = clean, sigma
        yield i, x


_SAMPLERS = {
    sampler.name.casefold(): sampler
    for sampler in (
        Sampler("Euler a", euler_ancestral, random=True),
        Sampler("Euler", euler),
        Sampler("Heun", heun, second_order=True),
        Sampler("DPM2", dpm2, "karras", "karras", drop_next_to_last=True, second_order=True),
        Sampler(
            "DPM2 a",
            dpm2_ancestral,
            "karras",
            "karras",
            drop_next_to_last=True,
            random=True,
            second_order=True,
        ),
        Sampler(
            "DPM++ 2S a", dpmpp_2s_ancestral, "karras", "karras", random=True, second_order=True
        ),
        Sampler("DPM++ 2M", dpmpp_2m, "karras", "karras"),
    )
}

SAMPLERS = tuple(sampler.name for sampler in _SAMPLERS.values())
"""Names of all samplers, as A1111 writes them."""

_SUFFIXES = {name: name for name in SCHEDULES} | {"normal": "uniform", "automatic": ""}
"""Word after a sampler's name → schedule; "" is the sampler's own.

A1111's "Normal" has the levels of its "Uniform".
"""


def find_sampler(name: str) -> Sampler:
    """Find a sampler by its name, which may end in a schedule ("Euler Karras"); ignores case.

    Without a schedule it has the one that A1111's "Automatic" stands for. Raises OptionsError for
    an unknown name.
    """
    words = name.casefold().split()
    sampler = _SAMPLERS.get(" ".join(words))
    if sampler is not None:
        return sampler
    base = _SAMPLERS.get(" ".join(words[:-1]))
    if base is None or words[-1] not in _SUFFIXES:
        raise OptionsError(
            f"sampler {name!r}: expected one of {', '.join(SAMPLERS)}, and after it nothing or "
            f"{', '.join(schedule.capitalize() for schedule in SCHEDULES)}"
        )
    return replace(base, schedule=_SUFFIXES[words[-1]] or base.default_schedule)


def _level_pairs(sigmas: Tensor) -> list[tuple[float, float]]:
    """Each noise level with the next one."""
    levels: list[float] = sigmas.tolist()
    return list(pairwise(levels))


def _ancestral(sigma: float, following: float) -> tuple[float, float]:
    """The level to step down to, and how much noise to add to reach ``following`` from it."""
    up = min(following, math.sqrt(following**2 * (sigma**2 - following**2)) / sigma)
    return math.sqrt(following**2 - up**2), up


def _exponential_step(x: Tensor, clean: Tensor, sigma: float, following: float) -> Tensor:
    """Step between noise levels; exact for a constant estimate of the clean latent."""
    ratio = following / sigma
    return ratio * x + (1 - ratio) * clean


def _midpoint_step(denoise: Denoiser, x: Tensor, sigma: float, following: float) -> Tensor:
    """One step of the midpoint method; Euler's step if ``following`` is 0."""
    slope = (x - denoise(x, sigma)) / sigma
    if following > 0:
        middle = math.sqrt(sigma * following)
        halfway = x + slope * (middle - sigma)
        slope = (halfway - denoise(halfway, middle)) / middle
    return x + slope * (following - sigma)
