"""A clean latent in, the noise that regenerates it out: A1111's "img2img alternative", improved.

Inversion runs sampling backwards, from low noise to high. A sampling step from a level to the one
below uses the noise estimate *at the upper end*, which is unknown when stepping upwards. The three
kinds replace it differently: "plain" evaluates the latent of the lower end at the upper level,
"adjusted" evaluates it at its own level; "refined" solves for the upper end. It starts from an
extrapolation of the previous steps and repeats the step with the resulting latent until that
converges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.guidance import GuidedEps

INVERSIONS = ("refined", "plain", "adjusted")

_TOLERANCE = 5e-5
"""A refinement that changes a latent by less than this share of its RMS is the last one."""


@dataclass(frozen=True)
class Inversion:
    """How the noise of an image is found.

    kind: "refined", or as in A1111: "plain", and "adjusted", its "sigma adjustment".
    steps: "decode steps"; None: as many as sampling, along the same noise levels.
    cfg_scale: "decode CFG scale": guidance towards the original prompt during inversion.
    randomness: 0–1, how much of the noise is replaced by noise of the seed.
    refinements: for "refined", how often each step is repeated at most. Two or three are typical;
    low noise and long steps need more.
    """

    kind: str = "refined"
    steps: int | None = None
    cfg_scale: float = 1.0
    randomness: float = 0.0
    refinements: int = 8

    def __post_init__(self) -> None:
        if self.kind not in INVERSIONS:
            raise OptionsError(f"inversion {self.kind!r}: expected one of {', '.join(INVERSIONS)}")
        if self.steps is not None and self.steps < 1:
            raise OptionsError(f"inversion steps {self.steps}: expected 1 or more")
        if not 0 <= self.randomness <= 1:
            raise OptionsError(f"inversion randomness {self.randomness}: expected 0 to 1")
        if self.refinements < 0:
            raise OptionsError(f"inversion refinements {self.refinements}: expected 0 or more")


def invert(
    eps: GuidedEps, latents: Tensor, sigmas: Tensor, kind: str = "refined", *, refinements: int = 8
) -> Iterator[tuple[int, Tensor]]:
    """Step up from clean latents; yields ``(i, x)``, where x is at noise level ``sigmas[i + 1]``.

    latents: (B, 4, h, w). sigmas: (steps + 1,), rising from 0. kind: one of ``INVERSIONS``.
    """
    x = latents
    levels: list[float] = sigmas.tolist()
    estimates: list[tuple[float, Tensor]] = []
    for i, (low, high) in enumerate(pairwise(levels)):
        if kind == "refined":
            noise = _refine(eps, x, low, high, _extrapolate(estimates, high), refinements)
            estimates = [*estimates[-1:], (high, noise)]
            x = x + noise * (high - low)
        elif kind == "plain":
            x = x + eps(x, high) * (high - low)
        elif low > 0:  # "adjusted": at level 0 there is no noise to estimate
            x = x + eps(x, low) * (high - low)
        yield i, x


def extract_noise(x: Tensor, latents: Tensor, kind: str, sigma: float) -> Tensor:
    """The unit noise in the last x of ``invert``, which is at noise level ``sigma``; (B, 4, h, w).

    "plain" and "adjusted" scale all of x to unit noise, as A1111 does; "refined" uses the
    difference between x and ``latents``.
    """
    if kind == "refined":
        return (x - latents) / sigma
    if kind == "plain":
        return x / x.std(dim=(1, 2, 3), keepdim=True)
    return x / sigma


def mix_noise(inverted: Tensor, random: Tensor, randomness: float) -> Tensor:
    """Mix two noises; the result has unit variance if they have it and are independent."""
    mixed = (1 - randomness) * inverted + randomness * random
    return mixed / math.hypot(randomness, 1 - randomness)


def _refine(
    eps: GuidedEps, x: Tensor, low: float, high: float, guess: Tensor | None, refinements: int
) -> Tensor:
    """The noise estimate at ``high`` with which Euler's step from there leads to x at ``low``.

    Fixed-point iteration from ``guess``, or from the estimate at x itself, with Anderson
    acceleration of depth one. Each image stops separately, so that no image depends on its batch:
    when its latent has converged, or when it moves more than in the iteration before; then the
    previous estimate was better.
    """
    gap, tolerance = high - low, _TOLERANCE * _rms(x)
    noise = eps(x, high) if guess is None else guess
    previous_move = torch.full_like(tolerance, math.inf)
    done = torch.zeros_like(tolerance, dtype=torch.bool)
    previous_noise = previous_estimate = previous_residual = noise
    for iteration in range(refinements + (guess is not None)):
        estimate = eps(x + noise * gap, high)
        residual = estimate - noise
        move = _rms(residual) * gap
        worse = move > previous_move  # False for NaN, so that NaN stays visible
        next_noise = estimate
        if iteration > 0:
            change = _anderson_factor(residual, residual - previous_residual)
            next_noise = estimate - change * (estimate - previous_estimate)
        next_noise = torch.where(worse, previous_noise, next_noise)
        previous_noise, noise = (
            torch.where(done, previous_noise, noise),
            torch.where(done, noise, next_noise),
        )
        previous_estimate, previous_residual, previous_move = estimate, residual, move
        done = done | worse | (move <= tolerance)
        if bool(done.all()):
            break
    return noise


def _anderson_factor(residual: Tensor, change: Tensor) -> Tensor:
    """The multiple of ``change`` that minimizes ``residual`` minus it, for each image."""
    square = change.square().sum(dim=(1, 2, 3), keepdim=True)
    factor = (residual * change).sum(dim=(1, 2, 3), keepdim=True) / square
    return torch.where(square > 0, factor, 0).clamp(-2, 1)


def _extrapolate(estimates: list[tuple[float, Tensor]], sigma: float) -> Tensor | None:
    """Extrapolate noise estimates linearly to a level; with only one estimate, repeat it."""
    if not estimates:
        return None
    last_sigma, last_noise = estimates[-1]
    if len(estimates) == 1:
        return last_noise
    first_sigma, first_noise = estimates[-2]
    return torch.lerp(first_noise, last_noise, (sigma - first_sigma) / (last_sigma - first_sigma))


def _rms(x: Tensor) -> Tensor:
    """Root mean square of each image, (B, 1, 1, 1)."""
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
