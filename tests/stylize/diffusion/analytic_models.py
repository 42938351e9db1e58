"""Denoisers whose best answer is known, so that samplers and inversion can be judged exactly."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kadr.stylize.diffusion.sampling.guidance import Conditioning
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule

MEAN, SPREAD = 0.3, 0.7

SCHEDULE = NoiseSchedule.scaled_linear()

NO_PROMPT = Conditioning(torch.zeros(1, 77, 8))


def gaussian_eps(x: Tensor, sigma: float, conditioning: Conditioning | None = None) -> Tensor:
    """The noise in x if clean values are normal with ``MEAN`` and ``SPREAD``."""
    return sigma * (x - MEAN) / (sigma**2 + SPREAD**2)


def gaussian_denoise(x: Tensor, sigma: float) -> Tensor:
    """The clean values in x under the same assumption."""
    return x - sigma * gaussian_eps(x, sigma)


def gaussian_flow(x: Tensor, sigma: float, to: float = 0.0) -> Tensor:
    """Where the exact solution of the sampling equation leads x from one noise level to another."""
    return MEAN + (x - MEAN) * math.sqrt((to**2 + SPREAD**2) / (sigma**2 + SPREAD**2))


class Pictures:
    """An eps that knows a few pictures: curved, unlike the Gaussian, and it sees its prompt.

    The first value of a prompt is added to all that it takes for clean.
    """

    def __init__(self, count: int = 6, size: int = 8, spread: float = 0.25) -> None:
        generator = torch.Generator().manual_seed(3)
        self.clean = 0.8 * torch.randn(count, 4, size, size, generator=generator)
        self.spread = spread
        self.calls: list[tuple[int, float]] = []

    def latents(self, count: int) -> Tensor:
        """Pictures it believes in, slightly varied."""
        generator = torch.Generator().manual_seed(4)
        noise = torch.randn(count, *self.clean.shape[1:], generator=generator)
        return self.clean[:count] + self.spread * noise

    def __call__(self, x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        self.calls.append((len(x), sigma))
        shift = conditioning.crossattn[:, 0, 0].reshape(-1, 1, 1, 1)
        variance = sigma**2 + self.spread**2
        away = (x - shift)[:, None] - self.clean[None]
        share = torch.softmax(-away.square().sum(dim=(2, 3, 4)) / (2 * variance), dim=1)
        guess = torch.einsum("np,pchw->nchw", share, self.clean) + shift
        return sigma * (x - guess) / variance


def prompt(value: float, length: int = 77) -> Conditioning:
    """A prompt for ``Pictures``."""
    crossattn = torch.zeros(1, length, 8)
    crossattn[:, 0, 0] = value
    return Conditioning(crossattn)


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Root mean square of the difference, as part of that of what is wanted."""
    return float((found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt())
