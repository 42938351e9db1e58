"""A model's noise estimate and two prompts in, the estimate of the clean latent out.

A *denoiser* takes a noisy latent and its noise level and estimates the clean latent; an *eps*
estimates the unit noise instead, for a conditioning. The two are one: ``x = clean + sigma * eps``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What steers a model: one prompt for all images, or one for each.

    crossattn: (1 or B, T, D), the encoded text; T is 77 for each chunk of a prompt.
    pooled: (1 or B, P), the text as one vector, or None for models without.
    time_ids: (1 or B, 6), sizes and crop of Stable Diffusion XL, or None.
    """

    crossattn: Tensor
    pooled: Tensor | None = None
    time_ids: Tensor | None = None

    def expand(self, count: int) -> Conditioning:
        """The same for ``count`` images; views where one prompt serves all."""
        return Conditioning(
            self.crossattn.expand(count, -1, -1),
            None if self.pooled is None else self.pooled.expand(count, -1),
            None if self.time_ids is None else self.time_ids.expand(count, -1),
        )

    def join(self, other: Conditioning) -> Conditioning:
        """Both, one after the other along the batch; of equal shapes otherwise."""
        return Conditioning(
            torch.cat([self.crossattn, other.crossattn]),
            _join(self.pooled, other.pooled),
            _join(self.time_ids, other.time_ids),
        )


Denoiser = Callable[[Tensor, float], Tensor]
"""``(x (B, 4, h, w), sigma) -> (B, 4, h, w)``: the clean latent in x at noise level sigma."""

GuidedEps = Callable[[Tensor, float], Tensor]
"""``(x (B, 4, h, w), sigma) -> (B, 4, h, w)``: the unit noise in x, guidance applied."""

Eps = Callable[[Tensor, float, Conditioning], Tensor]
"""``(x (N, 4, h, w), sigma, conditioning of N) -> (N, 4, h, w)``: the unit noise in x.

N may be a multiple of the B images of a run: then x holds all of them, and all of them again.
"""

Predict = Callable[[Tensor, Tensor, Conditioning], Tensor]
"""A network as trained: ``(scaled x (N, 4, h, w), timestep (N,), conditioning of N)``."""

PREDICTIONS = ("epsilon", "v_prediction")
"""What a network was trained to give: the noise, or v of Salimans and Ho 2022."""


def eps_from(predict: Predict, schedule: NoiseSchedule, prediction: str = "epsilon") -> Eps:
    """An ``Eps`` from a network on timesteps; fractional timesteps are given to it as they are.

    Raises OptionsError for an unknown kind of prediction.
    """
    if prediction not in PREDICTIONS:
        raise OptionsError(f"prediction {prediction!r}: expected one of {', '.join(PREDICTIONS)}")

    def eps(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        spread = math.sqrt(sigma**2 + 1)
        timestep = schedule.sigma_to_t(sigma).to(x.device).expand(len(x))
        output = predict(x / spread, timestep, conditioning)
        if prediction == "epsilon":
            return output
        # the clean latent is x / (sigma² + 1) - v * sigma / spread; solved for the noise
        return output / spread + x * (sigma / spread**2)

    return eps


def guided_eps(
    eps: Eps,
    cond: Conditioning,
    uncond: Conditioning,
    cfg_scale: float,
    *,
    together: bool = True,
) -> GuidedEps:
    """Noise estimates pushed from ``uncond`` towards ``cond`` and beyond, by ``cfg_scale``.

    Both are evaluated at every scale but exactly 1, where only ``cond`` counts; below 1 it is
    between the two. together: as one batch, all images with ``cond`` and then again with
    ``uncond``, where their lengths allow it; else one after the other, in half the memory.
    """
    same = cond.crossattn.shape[1:] == uncond.crossattn.shape[1:]

    def guided(x: Tensor, sigma: float) -> Tensor:
        count = len(x)
        with_cond = cond.expand(count)
        if cfg_scale == 1:
            return eps(x, sigma, with_cond)
        without = uncond.expand(count)
        if together and same:
            both = eps(torch.cat([x, x]), sigma, with_cond.join(without))
            towards, away = both[:count], both[count:]
        else:
            towards, away = eps(x, sigma, with_cond), eps(x, sigma, without)
        return away + cfg_scale * (towards - away)

    return guided


def denoiser_from(eps: GuidedEps) -> Denoiser:
    """A denoiser from noise estimates."""
    return lambda x, sigma: x - sigma * eps(x, sigma)


def keep_outside(denoise: Denoiser, latent: Tensor, mask: Tensor) -> Denoiser:
    """A denoiser whose estimate is ``latent`` wherever ``mask`` is 0, as at each step in A1111.

    mask: (B or 1, 1, h, w), 1 where the picture may change.
    """
    return lambda x, sigma: torch.lerp(latent, denoise(x, sigma), mask)


def _join(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return None
    return torch.cat([first, second])
