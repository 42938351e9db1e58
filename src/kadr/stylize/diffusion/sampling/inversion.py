"""A clean latent in, the noise that regenerates it out: A1111's "img2img alternative", and better.

Sampling is walked backwards, from low noise to high. Sampling's step from a level to the one below
uses the noise estimate *at the upper end*, which walking upwards does not have yet. The three kinds
differ in what they take in its place: "plain" the latent of the lower end at the upper level,
"adjusted" the latent of the lower end at its own level; "refined" solves for the upper end, from
what the steps before let expect, by repeating the step with the latent that it led to until that
no longer moves.
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

_STILL = 5e-5
"""A refinement that moves a latent by less than this part of its size is its last."""


@dataclass(frozen=True)
class Inversion:
    """How the noise of a picture is found.

    kind: "refined"; or as A1111 does it: "plain", and "adjusted", its "sigma adjustment".
    steps: "decode steps"; None: as many as the sampling takes, along the same noise levels.
    cfg_scale: "decode CFG scale": guidance towards the original prompt while noise is found.
    randomness: 0–1, how much of the noise is replaced by that of the seed.
    refinements: for "refined", how many times each step is repeated at most; two or three are the
    rule, more are taken where noise is low and steps are long.
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
    eps: GuidedEps, latent: Tensor, sigmas: Tensor, kind: str = "refined", *, refinements: int = 8
) -> Iterator[tuple[int, Tensor]]:
    """Walk up from a clean latent; yields ``(i, x)``, x being at noise level ``sigmas[i + 1]``.

    latent: (B, 4, h, w). sigmas: (steps + 1,), rising from 0. kind: one of ``INVERSIONS``.
    """
    x = latent
    levels: list[float] = sigmas.tolist()
    estimates: list[tuple[float, Tensor]] = []
    for i, (low, high) in enumerate(pairwise(levels)):
        if kind == "refined":
            noise = _refined(eps, x, low, high, _extrapolate(estimates, high), refinements)
            estimates = [*estimates[-1:], (high, noise)]
            x = x + noise * (high - low)
        elif kind == "plain":
            x = x + eps(x, high) * (high - low)
        elif low > 0:  # "adjusted": at no noise there is none to estimate
            x = x + eps(x, low) * (high - low)
        yield i, x


def found_noise(x: Tensor, latent: Tensor, kind: str, sigma: float) -> Tensor:
    """The unit noise in what ``invert`` ended with, at noise level ``sigma``; (B, 4, h, w).

    For "plain" and "adjusted" that is all of x scaled to unit noise, as A1111 takes it; for
    "refined" the part of x that is not ``latent``.
    """
    if kind == "refined":
        return (x - latent) / sigma
    if kind == "plain":
        return x / x.std(dim=(1, 2, 3), keepdim=True)
    return x / sigma


def mix_noise(found: Tensor, random: Tensor, randomness: float) -> Tensor:
    """Part of one noise and part of another, of unit variance again where they are independent."""
    mixed = (1 - randomness) * found + randomness * random
    return mixed / math.hypot(randomness, 1 - randomness)


def _refined(
    eps: GuidedEps, x: Tensor, low: float, high: float, guess: Tensor | None, refinements: int
) -> Tensor:
    """The noise estimate at ``high`` by which Euler's step from there leads down to x at ``low``.

    Fixed-point iteration from ``guess``, or from the estimate at x itself, with Anderson's
    acceleration by one step. Each image stops on its own, so that none depends on its batch: when
    its latent no longer moves, or when it moves more than the time before; then the estimate
    before was the better one.
    """
    gap, limit = high - low, _STILL * _size(x)
    noise = eps(x, high) if guess is None else guess
    moved, done = torch.full_like(limit, math.inf), torch.zeros_like(limit, dtype=torch.bool)
    before = answer_before = off_before = noise
    for turn in range(refinements + (guess is not None)):
        answer = eps(x + noise * gap, high)
        off = answer - noise
        move = _size(off) * gap
        worse = move > moved  # never for what is no number: that is to be seen
        following = answer
        if turn > 0:
            following = answer - _share(off, off - off_before) * (answer - answer_before)
        following = torch.where(worse, before, following)
        before, noise = torch.where(done, before, noise), torch.where(done, noise, following)
        answer_before, off_before, moved = answer, off, move
        done = done | worse | (move <= limit)
        if bool(done.all()):
            break
    return noise


def _share(off: Tensor, change: Tensor) -> Tensor:
    """How much of the last change to take back so that least is left of ``off``; each image's."""
    square = change.square().sum(dim=(1, 2, 3), keepdim=True)
    share = (off * change).sum(dim=(1, 2, 3), keepdim=True) / square
    return torch.where(square > 0, share, 0).clamp(-2, 1)


def _extrapolate(estimates: list[tuple[float, Tensor]], sigma: float) -> Tensor | None:
    """What the last noise estimates let expect at the next level: on a line, or the last again."""
    if not estimates:
        return None
    last, noise = estimates[-1]
    if len(estimates) == 1:
        return noise
    before, earlier = estimates[-2]
    return torch.lerp(earlier, noise, (sigma - before) / (last - before))


def _size(x: Tensor) -> Tensor:
    """Root mean square of each image, (B, 1, 1, 1)."""
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
