"""A model's noise estimate and two prompts in, the estimate of the clean latent out.

A *denoiser* takes a noisy latent and its noise level and estimates the clean latent; an *eps*
estimates the unit noise instead, for a conditioning. Both are equivalent, as
``x = clean + sigma * eps``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule


@dataclass(frozen=True, eq=False)
class Conditioning:
    """An encoded prompt: one for all images, or one for each.

    crossattn: (1 or B, T, D), the encoded text; T is 77 for each chunk of a prompt.
    pooled: (1 or B, P), the text as one vector; None for models that do not use it.
    time_ids: (1 or B, 6), sizes and crop for Stable Diffusion XL, or None.
    """

    crossattn: Tensor
    pooled: Tensor | None = None
    time_ids: Tensor | None = None

    def parts(self, evaluation: int) -> Sequence[WeightedConditioning]:
        """Itself, with weight 1, at every evaluation of the network; see ``Prompt``."""
        return ((self, 1.0),)

    def expand(self, count: int) -> Conditioning:
        """Repeat one prompt for ``count`` images, as views."""
        return Conditioning(
            self.crossattn.expand(count, -1, -1),
            None if self.pooled is None else self.pooled.expand(count, -1),
            None if self.time_ids is None else self.time_ids.expand(count, -1),
        )

    def concatenate(self, other: Conditioning) -> Conditioning:
        """Concatenate both along the batch; all other dimensions must be equal."""
        return Conditioning(
            torch.cat([self.crossattn, other.crossattn]),
            _concatenate(self.pooled, other.pooled),
            _concatenate(self.time_ids, other.time_ids),
        )


WeightedConditioning = tuple[Conditioning, float]
"""A conditioning, and how strongly guidance follows it beside others."""


class Prompt(Protocol):
    """What guidance follows during sampling: a Conditioning, or one that changes."""

    def parts(self, evaluation: int) -> Sequence[WeightedConditioning]:
        """The conditionings at an evaluation of the network, counted from 0; at least one."""
        ...


Denoiser = Callable[[Tensor, float], Tensor]
"""``(x (B, 4, h, w), sigma) -> (B, 4, h, w)``: the clean latent in x at noise level sigma."""

GuidedEps = Callable[[Tensor, float], Tensor]
"""``(x (B, 4, h, w), sigma) -> (B, 4, h, w)``: the unit noise in x, guidance applied."""

Eps = Callable[[Tensor, float, Conditioning], Tensor]
"""``(x (N, 4, h, w), sigma, conditioning of N) -> (N, 4, h, w)``: the unit noise in x.

N may be a multiple of the B images of a batch: then x holds the whole batch several times.
"""

Predict = Callable[[Tensor, Tensor, Conditioning], Tensor]
"""A network as trained: ``(scaled x (N, 4, h, w), timestep (N,), conditioning of N)``."""

PREDICTIONS = ("epsilon", "v_prediction")
"""What a network was trained to predict: the noise, or v of Salimans and Ho 2022."""


def eps_from(predict: Predict, schedule: NoiseSchedule, prediction: str = "epsilon") -> Eps:
    """An ``Eps`` from a network that takes timesteps, which may be fractional.

    Raises OptionsError for an unknown prediction.
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
    cond: Prompt,
    uncond: Prompt,
    cfg_scale: float,
    *,
    rescale: float = 0.0,
    batched: bool = True,
) -> GuidedEps:
    """Classifier-free guidance: noise estimates extrapolated from ``uncond`` towards ``cond``.

    The estimates of several parts of ``cond`` are extrapolated by their weights, all from
    ``uncond``, of which only the first part is used. One part of weight 1 with a ``cfg_scale`` of
    exactly 1 is evaluated alone; below 1 the result lies between the two.
    rescale: 0–1, how far the result is scaled to the standard deviation of ``cond`` alone, as v,
    for each image: equations 15 and 16 of Lin et al. 2023, "Common diffusion noise schedules and
    sample steps are flawed", where 0.7 is used.
    batched: evaluate all images with ``cond`` and then with ``uncond`` in one batch, if ``cond``
    has one part and the prompts the same length; otherwise one after the other, in half the memory.
    The returned function counts its calls, as prompts may change from one to the next: it is for
    one loop only.
    """
    evaluations = itertools.count()

    def guided(x: Tensor, sigma: float) -> Tensor:
        evaluation = next(evaluations)
        parts, count = cond.parts(evaluation), len(x)
        first, first_weight = parts[0][0].expand(count), parts[0][1]
        scale = cfg_scale * first_weight
        if scale == 1 and len(parts) == 1:
            return eps(x, sigma, first)
        without = uncond.parts(evaluation)[0][0].expand(count)
        same_length = first.crossattn.shape == without.crossattn.shape
        if batched and same_length and len(parts) == 1:
            joint = eps(torch.cat([x, x]), sigma, first.concatenate(without))
            cond_noise, uncond_noise = joint[:count], joint[count:]
        else:
            cond_noise = eps(x, sigma, first)
            uncond_noise = eps(x, sigma, without)
        noise = uncond_noise + scale * (cond_noise - uncond_noise)
        joined_noise = cond_noise
        if first_weight != 1:
            joined_noise = uncond_noise + first_weight * (cond_noise - uncond_noise)
        for part, weight in parts[1:]:
            change = weight * (eps(x, sigma, part.expand(count)) - uncond_noise)
            noise, joined_noise = noise + cfg_scale * change, joined_noise + change
        return _rescale_noise(noise, joined_noise, x, sigma, rescale) if rescale else noise

    return guided


def _rescale_noise(noise: Tensor, cond: Tensor, x: Tensor, sigma: float, share: float) -> Tensor:
    """Scale guided noise so that its v has the standard deviation of that of ``cond``, in part."""
    spread = math.sqrt(sigma**2 + 1)
    offset = x * (sigma / spread)  # v is spread * noise - offset
    guided_v, cond_v = noise * spread - offset, cond * spread - offset
    axes = (1, 2, 3)
    ratio = cond_v.std(axes, keepdim=True) / guided_v.std(axes, keepdim=True)
    return (guided_v * (share * ratio + 1 - share) + offset) / spread


def denoiser_from(eps: GuidedEps) -> Denoiser:
    """Turn noise estimates into a denoiser."""
    return lambda x, sigma: x - sigma * eps(x, sigma)


def keep_unmasked(denoise: Denoiser, latent: Tensor, mask: Tensor) -> Denoiser:
    """A denoiser whose estimate is ``latent`` wherever ``mask`` is 0, as at each step in A1111.

    mask: (B or 1, 1, h, w), 1 where the image may change.
    """
    return lambda x, sigma: torch.lerp(latent, denoise(x, sigma), mask)


def _concatenate(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return None
    return torch.cat([first, second])
